# TeCo: as the toy CACo, with the partner always a negative and no change flags.
_base_ = [
    '../_base_/pretraining/contrast_rgb_toy.py',
    '../_base_/schedules/ssl_sgd_step.py',
    '../_base_/default_runtime.py',
]
epochs = 50

model = dict(type='TeCo')
train_dataloader = dict(dataset=dict(mode='teco'))
optim_wrapper = dict(optimizer=dict(lr=0.05))
param_scheduler = dict(milestones=[epochs * 3 // 5, epochs * 4 // 5])
train_cfg = dict(max_epochs=epochs)
