# The labelled chips alone.
_base_ = './fixmatch_vit-small-p2_205k_eurosat-40lb.py'

model = dict(rule=dict(_delete_=True, type='SupervisedRule', num_classes=10))
train_dataloader = dict(batch_size=_base_.labelled, sampler=dict(unlabelled=0))
custom_hooks = [dict(type='SemiSupervisedHook'), _base_.early_stop]  # weights as they are
