_base_ = './saco_resnet18_100e_caco-100k.py'

model = dict(
    backbone=dict(depth=50, init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50')),
)
