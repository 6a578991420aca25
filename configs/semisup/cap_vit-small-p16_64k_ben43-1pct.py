# CAP: pseudo-labels of an averaged network, thresholds from class frequencies.
_base_ = './fixmatch_vit-small-p16_64k_ben43-1pct.py'

model = dict(rule=dict(_delete_=True, type='CAPRule', num_classes=43))
