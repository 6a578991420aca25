# FixMatch on BigEarthNet with 43 labels, one percent of the patches labelled.
_base_ = [
    '../_base_/datasets/semisup_bigearthnet_rgb.py',
    '../_base_/models/ssl_vit_small.py',
    '../_base_/schedules/semisup_adamw.py',
    '../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(img_size=128, patch_size=16),
    head=dict(num_classes=43),
    rule=dict(type='FixMatchRule', num_classes=43, multi_label=True, threshold=(0.05, 0.70)),
)
best = dict(monitor='multilabel/macro_ap', rule='greater')
default_hooks = dict(
    logger=dict(interval=100),
    checkpoint=dict(interval=2000, by_epoch=False, save_best=best['monitor'], rule=best['rule']),
)
# 16,000 steps without a better value.
early_stop = dict(type='EarlyStoppingHook', **best, min_delta=0.0, patience=8)
custom_hooks = [*_base_.custom_hooks, early_stop]
log_processor = dict(by_epoch=False)
