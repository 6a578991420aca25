# ResNet-18 for the 13 bands of Sentinel-2 L1C: what published multispectral weights load into.
_base_ = '../_base_/models/encoder_s2.py'
model = dict(backbone=dict(type='mmpretrain.ResNet', depth=18, in_channels=13))
