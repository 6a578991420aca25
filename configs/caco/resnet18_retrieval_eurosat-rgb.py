# CACo's retrieval on EuroSAT: precision and recall of the query's class at 20 and 100, 50 queries.
#   python tools/test.py configs/caco/resnet18_retrieval_eurosat-rgb.py CHECKPOINT   (or: random)
_base_ = [
    '../_base_/models/resnet18_classifier.py',
    '../_base_/datasets/eurosat_rgb.py',
    '../_base_/default_runtime.py',
]

model = dict(neck=None, head=None)
# As SeCo's and CACo's probes: images in [0, 1], nothing else.
data_preprocessor = dict(
    _delete_=True, type='MultiSpectralPreprocessor', bands='eurosat-rgb', scale=255
)
test_evaluator = dict(_delete_=True, type='RetrievalPR', topk=(20, 100), queries=50, seed=42)
test_cfg = dict(type='FeatureTestLoop')
