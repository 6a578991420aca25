# ResNet-18 for three bands: what published RGB weights load into. Images of 0..255.
_base_ = '../_base_/models/encoder_rgb.py'
model = dict(backbone=dict(type='mmpretrain.ResNet', depth=18))
