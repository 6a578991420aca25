# CACo on a toy CACo archive, small enough for a CPU:
#   python tools/misc/make_toy_data.py caco --out data/toy/caco --size 96 --places 120
_base_ = [
    '../_base_/pretraining/contrast_rgb_toy.py',
    '../_base_/schedules/ssl_sgd_step.py',
    '../_base_/default_runtime.py',
]
epochs = 50

# Views show nearly the whole scene: a crop would add a difference that is no change.
train_pipeline = _base_.train_pipeline
train_pipeline[3]['scale'] = (0.9, 1.0)

# Averaged distances find the changed places sooner than the published running ratio ('ratio', 0.8).
model = dict(type='CACo', flags=dict(evidence='distance', keep=0.9))
train_dataloader = dict(
    dataset=dict(mode='caco', pipeline=train_pipeline),
)
custom_hooks = [dict(type='ChangeFlagHook')]
optim_wrapper = dict(optimizer=dict(lr=0.05))
param_scheduler = dict(milestones=[epochs * 3 // 5, epochs * 4 // 5])
train_cfg = dict(max_epochs=epochs)
