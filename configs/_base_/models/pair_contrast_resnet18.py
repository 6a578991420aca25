"""Pair contrast on a ResNet-18 up to stage 3 (2,782,784 parameters), stride 16."""

pretrained = None  # None keeps random weights, as the released scripts; or ImageNet's checkpoint

model = dict(
    type='PairContrast',
    backbone=dict(
        type='mmpretrain.ResNet',
        depth=18,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(2,),
        in_channels='auto',
        init_cfg=dict(type='Pretrained', checkpoint=pretrained) if pretrained else None,
    ),
    neck=dict(type='PairProjector', in_channels='auto', out_channels=64),
    temperature=0.07,
)
