# UDAL.
_base_ = './fixmatch_vit-small-p16_64k_ben43-1pct.py'

model = dict(rule=dict(type='UDALRule', threshold=0.95))
