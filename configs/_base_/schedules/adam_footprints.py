# Adam, one random crop per image and epoch; the rate falls tenfold at two thirds.
epochs = 300
lr = 1e-4

optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=lr))
param_scheduler = [dict(type='MultiStepLR', milestones=[epochs * 2 // 3], gamma=0.1)]
train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(enable=False, base_batch_size=6)
