# SGD of Faster R-CNN: a short warm-up, drops after two thirds and nearly at the end.
epochs = 12
lr = 0.005  # for a batch of 4
milestones = [8, 11]

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=lr, momentum=0.9, weight_decay=1e-4),
    clip_grad=dict(max_norm=35, norm_type=2),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=200),
    dict(type='MultiStepLR', begin=0, by_epoch=True, milestones=milestones, gamma=0.1),
]
train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=1)
val_cfg = dict()
test_cfg = dict()
