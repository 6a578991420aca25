# As the ResNet-18 experiment, with a ResNet-50.
_base_ = './unet_resnet18_100e_gid5.py'

model = dict(backbone=dict(depth=50))
