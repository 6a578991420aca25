# mmseg's DeepLabV3+ head on a dilated ResNet-50.
_base_ = './unet_resnet18_100e_gid5.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.ResNet',
        depth=50,
        out_indices=(0, 1, 2, 3),
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
    ),
    decode_head=dict(
        _delete_=True,
        type='mmseg.DepthwiseSeparableASPPHead',
        in_channels=2048,
        in_index=3,
        channels=256,
        c1_in_channels=256,
        c1_channels=48,
        dilations=(1, 6, 12, 18),
        num_classes=6,
        loss_decode=dict(type='mmseg.CrossEntropyLoss'),
    ),
)
