# FixMatch on 40 labelled EuroSAT chips, for two cores: a small ViT with a stem of convolutions.
# Tests on any folder in EuroSAT's layout: --cfg-options data_root=DIR test_split=all
_base_ = [
    '../_base_/datasets/semisup_eurosat_rgb.py',
    '../_base_/models/ssl_vit_small.py',
    '../_base_/schedules/semisup_adamw.py',
    '../_base_/default_runtime.py',
]
iters = 4000
val_interval = 1000
num_labels = 40
unlabelled = 56

arch = dict(embed_dims=128, num_layers=4, num_heads=4, feedforward_channels=256)
stem = dict(conv_type='rsmm.ConvStem')
model = dict(
    backbone=dict(arch=arch, patch_size=8, drop_path_rate=0.0, patch_cfg=stem),
    head=dict(in_channels=128),
    rule=dict(type='FixMatchRule', num_classes=10, threshold=0.95),
)
data_preprocessor = dict(stats='eurosat-rgb', mean=None, std=None)
train_dataloader = dict(
    batch_size=_base_.labelled + unlabelled,
    sampler=dict(unlabelled=unlabelled),
    dataset=dict(labelled=dict(num_labels=num_labels), unlabelled=dict(num_labels=num_labels)),
)
optim_wrapper = dict(optimizer=dict(lr=2e-3, weight_decay=0.05))
param_scheduler = dict(total=iters, warmup=200)
train_cfg = dict(max_iters=iters, val_interval=val_interval)
# The last step counts; choosing the best on validation chips would need hundreds of labels.
default_hooks = dict(
    logger=dict(interval=50), checkpoint=dict(interval=val_interval, by_epoch=False)
)
custom_hooks = [
    dict(type='SemiSupervisedHook'),
    dict(type='AveragedWeightsHook', momentum=0.005),
]
log_processor = dict(by_epoch=False)
