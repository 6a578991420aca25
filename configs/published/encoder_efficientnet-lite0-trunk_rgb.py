# The first five stages of EfficientNet-Lite0 for three bands: stride 16, a fifth of the weights.
_base_ = '../_base_/models/encoder_rgb.py'
data_preprocessor = dict(mean=[127.5] * 3, std=[127.5] * 3, scale=1)
model = dict(backbone=dict(type='EfficientNetTrunk', model_name='tf_efficientnet_lite0', stages=5))
