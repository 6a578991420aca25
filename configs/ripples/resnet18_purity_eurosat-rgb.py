# Purity of k-means clusters of features; nothing is trained.
#   python tools/test.py configs/ripples/resnet18_purity_eurosat-rgb.py CHECKPOINT   (or: random)
_base_ = [
    '../_base_/models/pair_contrast_resnet18.py',
    '../_base_/datasets/eurosat_rgb.py',
    '../_base_/default_runtime.py',
]

# As the pretraining configs have them.
data_preprocessor = dict(
    _delete_=True, type='MultiSpectralPreprocessor', bands='rgb', stats='imagenet'
)
test_evaluator = dict(_delete_=True, type='ClusterPurity', k=(10, 20, 40, 80), seeds=5)
test_cfg = dict(type='FeatureTestLoop')
