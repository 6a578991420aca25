# Nearest neighbours in feature space: python tools/test.py CONFIG CHECKPOINT (or: random)
_base_ = [
    '../_base_/models/resnet18_classifier.py',
    '../_base_/datasets/toy_eurosat_rgb.py',
    '../_base_/default_runtime.py',
]
model = dict(neck=None, head=None)
test_cfg = dict(type='KNNTestLoop', bank=dict(split='train'), k=20, temperature=0.07)
