# As the ResNet-18 experiment, with a ResNet-50.
_base_ = './resnet18_scratch-12e_eurosat-rgb.py'

model = dict(backbone=dict(depth=50))
