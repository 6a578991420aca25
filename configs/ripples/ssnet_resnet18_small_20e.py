# With max pooling: stride 4, all sub-maps are compared.
_base_ = './ssnet_resnet18_finer_20e.py'

model = dict(backbone=dict(type='mmpretrain.ResNet'), keep=1.0)
