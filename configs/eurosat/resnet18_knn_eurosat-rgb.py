# kNN probe: 20 neighbours by cosine similarity, weights exp(similarity / 0.07); nothing is trained.
#   python tools/test.py configs/eurosat/resnet18_knn_eurosat-rgb.py CHECKPOINT   (or: random)
_base_ = [
    '../_base_/models/resnet18_classifier.py',
    '../_base_/datasets/eurosat_rgb.py',
    '../_base_/default_runtime.py',
]
bank_split = 'train'

model = dict(neck=None, head=None)
# The bank is read like the test data, from another split.
test_cfg = dict(type='KNNTestLoop', bank=dict(split=bank_split), k=20, temperature=0.07)
