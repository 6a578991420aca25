"""U-Net on a ResNet-18; `bands` and `num_classes` follow the dataset."""

num_classes = 6
depth = 18
frozen = False
pretrained = None  # checkpoint of a backbone; None keeps random weights
prefix = 'backbone.'

model = dict(
    type='RasterSegmentor',
    frozen=frozen,
    backbone=dict(
        type='ResNetPyramid',
        depth=depth,
        in_channels='auto',
        init_cfg=dict(type='Pretrained', checkpoint=pretrained, prefix=prefix)
        if pretrained
        else None,
    ),
    decode_head=dict(type='UNetDecoder', in_channels='auto', num_classes=num_classes, dropout=0.1),
    loss=dict(type='SegLoss'),
)
