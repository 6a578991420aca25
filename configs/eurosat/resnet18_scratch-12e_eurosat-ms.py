# Supervised ResNet-18 from random weights on all 13 bands.
_base_ = [
    '../_base_/models/resnet18_classifier.py',
    '../_base_/datasets/eurosat_ms.py',
    '../_base_/schedules/sgd_cosine.py',
    '../_base_/tta/classification.py',
    '../_base_/default_runtime.py',
]

# The network of resnet18_scratch-12e_eurosat-rgb.py.
model = dict(
    backbone=dict(type='mmpretrain.ResNetV1d', strides=(1, 2, 2, 1)),
    head=dict(loss=dict(_delete_=True, type='mmpretrain.LabelSmoothLoss', label_smooth_val=0.1)),
)
default_hooks = dict(checkpoint=dict(save_best='accuracy/top1', rule='greater'))
