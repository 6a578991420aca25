# cap, place and date for the teacher, the image alone for the student.
_base_ = './cap_vit-small-p16_64k_ben43-1pct.py'

model = dict(type='STSSLClassifier', metadata=dict(missing='zero'), untrained_heads=True)
