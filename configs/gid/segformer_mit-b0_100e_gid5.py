# mmseg's SegFormer-B0.
_base_ = './unet_resnet18_100e_gid5.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmseg.MixVisionTransformer',
        in_channels='auto',
        embed_dims=32,
        num_layers=[2, 2, 2, 2],
        num_heads=[1, 2, 5, 8],
        sr_ratios=[8, 4, 2, 1],
        patch_sizes=[7, 3, 3, 3],
    ),
    decode_head=dict(
        _delete_=True,
        type='mmseg.SegformerHead',
        in_channels='auto',
        channels=256,
        num_classes=6,
        loss_decode=dict(type='mmseg.CrossEntropyLoss'),
    ),
)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=3e-4, weight_decay=0.01))
