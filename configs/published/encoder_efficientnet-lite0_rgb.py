# EfficientNet-Lite0 for three bands.
_base_ = '../_base_/models/encoder_rgb.py'
model = dict(backbone=dict(type='mmpretrain.TIMMBackbone', model_name='tf_efficientnet_lite0'))
