# The labelled patches alone.
_base_ = './fixmatch_vit-small-p16_64k_ben43-1pct.py'

model = dict(rule=dict(_delete_=True, type='SupervisedRule', num_classes=43, multi_label=True))
train_dataloader = dict(batch_size=_base_.labelled, sampler=dict(unlabelled=0))
custom_hooks = [dict(type='SemiSupervisedHook'), _base_.early_stop]  # weights as they are
