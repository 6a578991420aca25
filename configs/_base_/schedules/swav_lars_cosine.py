# SGD with LARS and a cosine down to a hundredth, step by step; no warm-up, no validation.
epochs = 15
lr = 0.6
final_lr = 0.006
freeze_steps = 5005
queue_start_epoch = 15

optim_wrapper = dict(
    type='AmpOptimWrapper',
    optimizer=dict(type='mmpretrain.LARS', lr=lr, momentum=0.9, weight_decay=1e-6, eta=0.001),
)
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        eta_min=final_lr,
        begin=0,
        convert_to_iter_based=True,
    )
]
train_cfg = dict(by_epoch=True, max_epochs=epochs)
custom_hooks = [
    dict(type='SwAVScheduleHook', freeze_steps=freeze_steps, queue_start_epoch=queue_start_epoch)
]
