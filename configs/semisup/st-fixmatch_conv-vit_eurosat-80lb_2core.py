# 80 labelled chips, the place for the teacher.
_base_ = './fixmatch_conv-vit_eurosat-80lb_2core.py'

model = dict(type='STSSLClassifier', distill_weight=0.01)
