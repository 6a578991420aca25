# 80 labelled chips, the place for the teacher.
_base_ = './fixmatch_vit-small-p2_205k_eurosat-80lb.py'

model = dict(
    type='STSSLClassifier', distill_weight=0.01, metadata=dict(missing='zero'), untrained_heads=True
)
