# mmseg's UPerNet head on a ResNet-50.
_base_ = './unet_resnet18_100e_gid5.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.ResNet',
        depth=50,
        in_channels='auto',
        out_indices=(0, 1, 2, 3),
    ),
    decode_head=dict(
        _delete_=True,
        type='mmseg.UPerHead',
        in_channels='auto',
        channels=256,
        num_classes=6,
        loss_decode=dict(type='mmseg.CrossEntropyLoss'),
    ),
)
