# Swin-T for three bands.
_base_ = '../_base_/models/encoder_rgb.py'
model = dict(backbone=dict(type='mmpretrain.SwinTransformer', arch='tiny'))
