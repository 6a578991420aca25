"""Siamese ResNet-18 with SeCo's decoder: five levels, absolute differences, one logit."""

depth = 18
frozen = True
pretrained = None  # checkpoint of a backbone; None keeps random weights
prefix = 'backbone.'

model = dict(
    type='ChangeDetector',
    fusion='abs_diff',
    frozen=frozen,
    backbone=dict(
        type='ResNetPyramid',
        depth=depth,
        in_channels='auto',
        init_cfg=dict(type='Pretrained', checkpoint=pretrained, prefix=prefix)
        if pretrained
        else None,
    ),
    decode_head=dict(type='UNetDecoder', in_channels='auto'),
    loss=dict(type='ChangeLoss', terms=dict(bce=1.0)),
)
