# As the ResNet-18 experiment, with a ResNet-50.
_base_ = './seco_resnet18_100e_oscd-rgb.py'

model = dict(backbone=dict(depth=50))
