# Supervised ResNet-18 from random weights, 64-pixel RGB chips.
_base_ = [
    '../_base_/models/resnet18_classifier.py',
    '../_base_/datasets/eurosat_rgb.py',
    '../_base_/schedules/sgd_cosine.py',
    '../_base_/tta/classification.py',
    '../_base_/default_runtime.py',
]
