# FixMatch on EuroSAT as published: split, draw of 40 labelled chips, views; one date for all chips.
# There is no validation split: the best step is chosen on the test chips.
_base_ = [
    '../_base_/datasets/semisup_eurosat_rgb.py',
    '../_base_/models/ssl_vit_small.py',
    '../_base_/schedules/semisup_adamw.py',
    '../_base_/default_runtime.py',
]
views = dict(size=32, policy='reference', table='eurosat', bands='eurosat-rgb')
published = dict(draw='reference', date='2000-01-01')
load, pack = dict(type='LoadRaster'), dict(type='PackViews')
weak, both = (
    dict(type='WeakStrong', weak=1, strong=strong, where=_base_.where, views=views)
    for strong in (0, 1)
)

data_preprocessor = dict(views=views)
train_dataloader = dict(
    dataset=dict(
        labelled=dict(**published, pipeline=[load, weak, pack]),
        unlabelled=dict(**published, pipeline=[load, both, pack]),
    )
)
val_dataloader = dict(dataset=published)
test_dataloader = dict(dataset=published)
model = dict(rule=dict(type='FixMatchRule', num_classes=10, threshold=0.95))
optim_wrapper = dict(optimizer=dict(lr=5e-5))
param_scheduler = dict(total=204800, warmup=5120)
train_cfg = dict(max_iters=204800, val_interval=2048)
best = dict(monitor='accuracy/top1', rule='greater')
default_hooks = dict(
    logger=dict(interval=100),
    checkpoint=dict(interval=2048, by_epoch=False, save_best=best['monitor'], rule=best['rule']),
)
# 32,768 steps without a better value.
early_stop = dict(type='EarlyStoppingHook', **best, min_delta=0.0, patience=16)
custom_hooks = [*_base_.custom_hooks, early_stop]
log_processor = dict(by_epoch=False)
auto_scale_lr = dict(base_batch_size=16)
