# SACo: Adam, the rate falls tenfold after 60 % and 80 %.
epochs = 100
lr = 1e-4

optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=lr, weight_decay=1e-5))
milestones = [epochs * 3 // 5, epochs * 4 // 5]
param_scheduler = dict(type='MultiStepLR', milestones=milestones, gamma=0.1)
train_cfg = dict(by_epoch=True, max_epochs=epochs)
auto_scale_lr = dict(enable=False, base_batch_size=64)
