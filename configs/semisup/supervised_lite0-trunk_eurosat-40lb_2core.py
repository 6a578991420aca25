# The 40 labelled chips alone, for two cores.
_base_ = './fixmatch_lite0-trunk_eurosat-40lb_2core.py'

model = dict(rule=dict(_delete_=True, type='SupervisedRule', num_classes=10))
train_dataloader = dict(batch_size=_base_.labelled, sampler=dict(unlabelled=0))
