# Adam for dense models; the rate falls by gamma every epoch.
epochs = 100
lr = 1e-3
gamma = 0.95

optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=lr, weight_decay=1e-4))
param_scheduler = dict(type='ExponentialLR', gamma=gamma)
train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=5)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(enable=False, base_batch_size=32)
