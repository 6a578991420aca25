"""Dense features for discovery: two stages of a ResNet-18, no max pooling, stride 2, 128 wide."""

pretrained = 'torchvision://resnet18'  # ImageNet's weights, as published; None starts at random

model = dict(
    type='DenseContrast',
    backbone=dict(
        type='ResNetFine',
        depth=18,
        num_stages=2,
        strides=(1, 2),
        dilations=(1, 1),
        out_indices=(0, 1),
        in_channels='auto',
        init_cfg=dict(type='Pretrained', checkpoint=pretrained) if pretrained else None,
    ),
    neck=dict(type='SSNetNeck', in_channels='auto', out_channels=128),
    projector=dict(type='DenseProjector', in_channels=128, out_channels=64),
    temperature=0.07,
    grid=4,
    keep=0.25,
)
