# SoftMatch on 40 labelled chips, for two cores.
_base_ = './fixmatch_lite0-trunk_eurosat-40lb_2core.py'

model = dict(rule=dict(_delete_=True, type='SoftMatchRule', num_classes=10))
