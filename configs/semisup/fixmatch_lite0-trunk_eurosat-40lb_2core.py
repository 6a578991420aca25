# FixMatch on 40 labelled EuroSAT chips, for two cores: part of EfficientNet-Lite0, from ImageNet.
# Tests on any folder in EuroSAT's layout: --cfg-options data_root=DIR test_split=all
_base_ = [
    '../_base_/datasets/semisup_eurosat_rgb.py',
    '../_base_/models/ssl_lite0_trunk.py',
    '../_base_/schedules/semisup_adamw.py',
    '../_base_/default_runtime.py',
]
iters = 1200
val_interval = 600
warmup = 20
lr = 1e-3
unlabelled = 32

train_dataloader = dict(
    batch_size=_base_.labelled + unlabelled, sampler=dict(unlabelled=unlabelled)
)
model = dict(rule=dict(type='FixMatchRule', num_classes=10, threshold=0.9))
optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = dict(total=iters, warmup=warmup)
train_cfg = dict(max_iters=iters, val_interval=val_interval)
# The last step counts: choosing the best on validation chips would need hundreds of labels.
default_hooks = dict(
    logger=dict(interval=20), checkpoint=dict(interval=val_interval, by_epoch=False)
)
custom_hooks = [
    dict(type='SemiSupervisedHook'),
    dict(type='AveragedWeightsHook', momentum=0.02),
]
log_processor = dict(by_epoch=False)
