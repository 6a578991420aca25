# 80 labelled chips.
_base_ = './supervised_lite0-trunk_eurosat-40lb_2core.py'

train_dataloader = dict(dataset=dict(labelled=dict(num_labels=80), unlabelled=dict(num_labels=80)))
