# AdamW, 7/16 of a cosine, weights averaged over about a thousand steps; counted in steps.
iters = 64000
lr = 1e-4
warmup = 0

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=lr, weight_decay=5e-4),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        custom_keys={
            name: dict(decay_mult=0.0) for name in ('pos_embed', 'cls_token', 'token_embed')
        },
    ),
)
# Without by_epoch=False the runner would end the schedule after max_epochs = 1 step.
param_scheduler = dict(type='CosineCycleLR', by_epoch=False, total=iters, warmup=warmup)
train_cfg = dict(by_epoch=False, max_iters=iters, val_interval=2000)
val_cfg = dict()
test_cfg = dict()
custom_hooks = [
    dict(type='SemiSupervisedHook'),
    dict(type='AveragedWeightsHook', momentum=0.001),
]
auto_scale_lr = dict(enable=False, base_batch_size=512)
