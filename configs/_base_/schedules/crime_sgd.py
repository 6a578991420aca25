# The study's schedule: SGD, a tenth of the rate every 7 epochs; validation chooses the epoch.
epochs = 15
lr = 1e-4
step_size = 7

optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=lr, momentum=0.9))
param_scheduler = [dict(type='StepLR', step_size=step_size, gamma=0.1)]
train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=1)
val_cfg = dict()
test_cfg = dict()
