"""U-Net on a ResNet-18; `bands` and `num_classes` follow the dataset."""

in_channels = 3
num_classes = 6
depth = 18
frozen = False
pretrained = None  # checkpoint of a backbone; None keeps random weights
prefix = 'backbone.'

model = dict(
    type='RasterSegmentor',
    frozen=frozen,
    bands=in_channels,
    backbone=dict(
        type='ResNetPyramid',
        depth=depth,
        in_channels=in_channels,
        init_cfg=dict(type='Pretrained', checkpoint=pretrained, prefix=prefix)
        if pretrained
        else None,
    ),
    decode_head=dict(type='UNetDecoder', in_channels='auto', num_classes=num_classes, dropout=0.1),
    loss=dict(type='SegLoss'),
)
