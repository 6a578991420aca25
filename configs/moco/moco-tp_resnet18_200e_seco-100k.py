# MoCo-TP: a sample is one place, the views are two of its dates.
_base_ = [
    '../_base_/pretraining/contrast_rgb.py',
    '../_base_/schedules/ssl_sgd_step.py',
    '../_base_/default_runtime.py',
]

model = dict(type='MoCo')
train_dataloader = dict(dataset=dict(mode='moco_tp'))
