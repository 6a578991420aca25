# FixMatch, the place for the teacher, the image alone for the student.
_base_ = './fixmatch_vit-small-p2_205k_eurosat-40lb.py'

model = dict(
    type='STSSLClassifier', distill_weight=0.01, metadata=dict(missing='zero'), untrained_heads=True
)
