# A hierarchical transformer on both dates and SegFormer's all-MLP head, both mmseg's.
_base_ = './fc-siam-diff_100e_oscd-rgb.py'

model = dict(
    deepest='fused',
    multiple=32,
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
        channels=128,
        num_classes=2,
        out_channels=1,
        threshold=0.5,
        loss_decode=dict(type='mmseg.CrossEntropyLoss', use_sigmoid=True),
    ),
)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=3e-4, weight_decay=0.01))
