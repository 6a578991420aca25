# FixMatch with the place for the teacher, the image alone for the student, for two cores.
_base_ = './fixmatch_lite0-trunk_eurosat-40lb_2core.py'

model = dict(type='STSSLClassifier', distill_weight=0.01)
