# ViT-Base/16 for three bands.
_base_ = '../_base_/models/encoder_rgb.py'
model = dict(
    backbone=dict(type='mmpretrain.VisionTransformer', arch='base', img_size=224, patch_size=16)
)
