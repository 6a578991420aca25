# Adam for a linear layer on frozen features; the rate falls tenfold after 60 % and 80 %.
epochs = 20

optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3))
milestones = [epochs * 3 // 5, epochs * 4 // 5]
param_scheduler = dict(type='MultiStepLR', milestones=milestones, gamma=0.1)
train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=epochs)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(enable=False, base_batch_size=128)
