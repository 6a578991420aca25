# 0.5 % of the patches labelled, place and date for the teacher.
_base_ = './fixmatch_vit-small-p16_64k_ben43-0.5pct.py'

model = dict(type='STSSLClassifier', metadata=dict(missing='zero'), untrained_heads=True)
