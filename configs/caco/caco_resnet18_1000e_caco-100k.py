# CACo: the other period of a place is a negative where the place changed.
_base_ = [
    '../_base_/pretraining/contrast_rgb.py',
    '../_base_/schedules/ssl_sgd_step.py',
    '../_base_/default_runtime.py',
]
data_root = 'data/clean_100k_geography'
epochs = 1000

model = dict(type='CACo')
train_dataloader = dict(
    dataset=dict(type='CACoDataset', data_root=data_root, mode='caco'),
)
custom_hooks = [dict(type='ChangeFlagHook')]
param_scheduler = dict(milestones=[epochs * 3 // 5, epochs * 4 // 5])
train_cfg = dict(max_epochs=epochs)
