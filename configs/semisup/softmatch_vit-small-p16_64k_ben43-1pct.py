# SoftMatch, aligned with the frequencies of the labelled patches.
_base_ = './fixmatch_vit-small-p16_64k_ben43-1pct.py'

model = dict(rule=dict(_delete_=True, type='SoftMatchRule', num_classes=43, multi_label=True))
