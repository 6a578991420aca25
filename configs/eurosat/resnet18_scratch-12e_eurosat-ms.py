# Supervised ResNet-18 from random weights on all 13 bands.
_base_ = [
    '../_base_/models/resnet18_classifier.py',
    '../_base_/datasets/eurosat_ms.py',
    '../_base_/schedules/sgd_cosine.py',
    '../_base_/tta/classification.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(in_channels=13))
