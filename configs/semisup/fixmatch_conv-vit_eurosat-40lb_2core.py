# FixMatch on 40 labelled chips with a small ViT, the baseline of its spatiotemporal version.
_base_ = './fixmatch_resnet18-narrow_eurosat-40lb_2core.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='ViTExtraToken',
        arch=dict(embed_dims=128, num_layers=4, num_heads=4, feedforward_channels=256),
        img_size=32,
        patch_size=8,
        patch_cfg=dict(conv_type='rsmm.ConvStem'),
    ),
    neck=None,
)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
