# ViT-S/16 for the 13 bands of Sentinel-2 L1C.
_base_ = '../_base_/models/encoder_s2.py'
model = dict(
    backbone=dict(
        type='mmpretrain.VisionTransformer',
        arch='deit-small',
        img_size=224,
        patch_size=16,
        in_channels=13,
    )
)
