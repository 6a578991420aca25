# Supervised ResNet-18 from random weights, 64-pixel RGB chips.
_base_ = [
    '../_base_/models/resnet18_classifier.py',
    '../_base_/datasets/eurosat_rgb.py',
    '../_base_/schedules/sgd_cosine.py',
    '../_base_/tta/classification.py',
    '../_base_/default_runtime.py',
]
# The last stage keeps 4 x 4 pixels of a 64-pixel chip instead of 2 x 2, at next to no cost in time.
model = dict(backbone=dict(strides=(1, 2, 2, 1)))
