# Self-supervised pretraining: SGD, linear warm-up over a twentieth of the epochs, cosine to zero.
# No validation: probes judge the checkpoint.
epochs = 20
lr = 0.12

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=lr, momentum=0.9, weight_decay=5e-4, nesterov=True),
)
warmup = epochs // 20
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, end=warmup, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        begin=warmup,
        convert_to_iter_based=True,
    ),
][0 if warmup else 1 :]
train_cfg = dict(by_epoch=True, max_epochs=epochs)
auto_scale_lr = dict(enable=False, base_batch_size=256)
