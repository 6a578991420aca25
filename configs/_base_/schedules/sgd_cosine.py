# SGD: the learning rate rises linearly for a quarter of the epochs, then falls as a cosine to zero.
epochs = 12

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True),
)
warmup = epochs // 4
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, end=warmup, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        begin=warmup,
        convert_to_iter_based=True,
    ),
][0 if warmup else 1 :]
train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(enable=False, base_batch_size=128)
