# For a few thousand tiles: 300 prototypes, free after one epoch, sharper codes, an early queue.
_base_ = [
    '../_base_/models/swav_resnet50.py',
    '../_base_/pretraining/swav_tiles.py',
    '../_base_/schedules/swav_lars_cosine.py',
    '../_base_/default_runtime.py',
]

num_prototypes = 300
epsilon = 0.03
queue_length = 1024
epochs = 100
lr = 0.15  # 0.6 * batch / 256
final_lr = 0.0015

model = dict(
    head=dict(loss=dict(num_prototypes=num_prototypes, epsilon=epsilon, queue_length=queue_length))
)
optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        eta_min=final_lr,
        begin=0,
        convert_to_iter_based=True,
    )
]
train_cfg = dict(max_epochs=epochs)
custom_hooks = [dict(type='SwAVScheduleHook', freeze_steps=1.0, queue_start_epoch=5)]
