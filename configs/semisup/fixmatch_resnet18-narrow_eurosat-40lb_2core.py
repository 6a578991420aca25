# FixMatch on 40 labelled EuroSAT chips of 32 pixels, for two cores: a ResNet-18 of quarter width.
# Tests on any folder in EuroSAT's layout: --cfg-options data_root=DIR test_split=all
_base_ = [
    '../_base_/datasets/semisup_eurosat_rgb.py',
    '../_base_/models/ssl_resnet18_narrow.py',
    '../_base_/schedules/semisup_adamw.py',
    '../_base_/default_runtime.py',
]
iters = 6000
val_interval = 1000
warmup = 200
unlabelled = 56

data_preprocessor = dict(stats='eurosat-rgb', mean=None, std=None)
train_dataloader = dict(
    batch_size=_base_.labelled + unlabelled, sampler=dict(unlabelled=unlabelled)
)
model = dict(rule=dict(type='FixMatchRule', num_classes=10, threshold=0.95))
optim_wrapper = dict(optimizer=dict(lr=2e-3))
param_scheduler = dict(total=iters, warmup=warmup)
train_cfg = dict(max_iters=iters, val_interval=val_interval)
# The last step counts: choosing the best on validation chips would need hundreds of labels.
default_hooks = dict(
    logger=dict(interval=50), checkpoint=dict(interval=val_interval, by_epoch=False)
)
custom_hooks = [
    dict(type='SemiSupervisedHook'),
    dict(type='AveragedWeightsHook', momentum=0.005),
]
log_processor = dict(by_epoch=False)
