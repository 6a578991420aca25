# The same of ImageNet's features, stated as such, and of the same network's random weights:
#   python tools/test.py configs/ripples/efficientnet-lite0_purity_eurosat-rgb.py CHECKPOINT
# CHECKPOINT is what tools/model_converters/convert.py makes of ImageNet weights, or: random.
_base_ = './resnet18_purity_eurosat-rgb.py'

model = dict(
    _delete_=True,
    type='FeatureExtractor',
    backbone=dict(type='mmpretrain.TIMMBackbone', model_name='tf_efficientnet_lite0'),
)
data_preprocessor = dict(
    _delete_=True,
    type='MultiSpectralPreprocessor',
    bands='rgb',
    mean=[127.5, 127.5, 127.5],  # to [-1, 1], as the weights were trained
    std=[127.5, 127.5, 127.5],
)
# The published 112 pixels.
test_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadRaster'),
            dict(type='mmpretrain.ResizeEdge', scale=112),
            dict(type='mmpretrain.CenterCrop', crop_size=112),
            dict(type='PackRaster'),
        ]
    )
)
