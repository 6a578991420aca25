# Swin-T for three bands; chips smaller than its windows are padded.
_base_ = '../_base_/models/encoder_rgb.py'
model = dict(backbone=dict(type='mmpretrain.SwinTransformer', arch='tiny', pad_small_map=True))
