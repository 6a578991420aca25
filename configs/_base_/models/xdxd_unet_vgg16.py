"""XD_XD U-Net with a VGG16 encoder, 29,306,465 parameters; BCE and soft Jaccard."""

pretrained = None  # e.g. torchvision://vgg16 or a file with ImageNet weights
tile = 512
width = 64  # channels of the first stage; 16 is a small variant

model = dict(
    type='FootprintSegmentor',
    backbone=dict(
        type='VGG16Encoder',
        base_channels=width,
        init_cfg=dict(type='Pretrained', checkpoint=pretrained) if pretrained else None,
    ),
    decode_head=dict(
        type='XDXDHead',
        in_channels='auto',  # any mmpretrain or timm backbone fits: change `backbone` alone
        num_classes=1,
        num_filters=32,
        base_channels=width,
    ),
    loss=dict(type='FootprintLoss', terms=dict(bce=10.0, jaccard=2.5)),
    tile=tile,
)
