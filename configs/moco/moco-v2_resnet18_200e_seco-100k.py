# MoCo v2: a sample is one image, both views come from it.
_base_ = [
    '../_base_/pretraining/contrast_rgb.py',
    '../_base_/schedules/ssl_sgd_step.py',
    '../_base_/default_runtime.py',
]

model = dict(type='MoCo')
train_dataloader = dict(dataset=dict(mode='moco'))
