# Dense features of stride 2, those that the published discovery uses.
_base_ = [
    '../_base_/models/ssnet_resnet18.py',
    '../_base_/pretraining/dense_series.py',
    '../_base_/default_runtime.py',
]
