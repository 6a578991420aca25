# MoCo-TP on a toy CACo archive, small enough for a CPU:
#   python tools/misc/make_toy_data.py caco --out data/toy/caco --size 96 --places 120
_base_ = [
    '../_base_/pretraining/contrast_rgb_toy.py',
    '../_base_/schedules/ssl_sgd_step.py',
    '../_base_/default_runtime.py',
]
epochs = 100

model = dict(type='MoCo')
train_dataloader = dict(dataset=dict(mode='moco_tp'))
optim_wrapper = dict(optimizer=dict(lr=0.05))
param_scheduler = dict(milestones=[epochs * 3 // 5, epochs * 4 // 5])
train_cfg = dict(max_epochs=epochs)
