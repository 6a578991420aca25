# CDMAD: the bias of a constant image is taken off, from step 2,000 on.
_base_ = './fixmatch_vit-small-p16_64k_ben43-1pct.py'

model = dict(rule=dict(type='CDMADRule', threshold=(0.05, 0.95), start=2000))
