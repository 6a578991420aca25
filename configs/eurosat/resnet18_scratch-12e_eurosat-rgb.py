# Supervised ResNet-18 from random weights, 64-pixel RGB chips.
_base_ = [
    '../_base_/models/resnet18_classifier.py',
    '../_base_/datasets/eurosat_rgb.py',
    '../_base_/schedules/sgd_cosine.py',
    '../_base_/tta/classification.py',
    '../_base_/default_runtime.py',
]
# Twelve epochs are short. The stem of three small convolutions (ResNet-D) learns faster than one of
# 7 x 7, and the last stage keeps 4 x 4 pixels of a chip instead of 2 x 2.
model = dict(
    backbone=dict(type='mmpretrain.ResNetV1d', strides=(1, 2, 2, 1)),
    head=dict(loss=dict(_delete_=True, type='mmpretrain.LabelSmoothLoss', label_smooth_val=0.1)),
)
default_hooks = dict(checkpoint=dict(save_best='accuracy/top1', rule='greater'))
