# Any dated RGB stacks, packed as tiles by tools/dataset_converters/pack_stacks.py, at half width.
# Old and new sets hold nine dates each. Other methods are other models with their date rule:
#   python tools/train.py CONFIG --cfg-options packed=DIR model.type=MoCo mode=moco_tp
_base_ = [
    '../_base_/pretraining/contrast_rgb_toy.py',
    '../_base_/schedules/ssl_sgd_step.py',
    '../_base_/default_runtime.py',
]
batch_size = 18
epochs = 100
scene_size = 48

# Pictures in 8 bit are shown as they are, without the stretch for reflectances.
train_pipeline = [
    dict(type='SampleDates'),
    dict(type='LoadScenes', size=scene_size),
    dict(type='SeasonalViews', size=32, aug=_base_.colour),
    dict(type='PackRaster'),
]
train_dataloader = dict(
    batch_size=batch_size, dataset=dict(dates_per_set=9, pipeline=train_pipeline)
)
model = dict(
    backbone=dict(stem_channels=32, base_channels=32),
    queue_len=216,
)
optim_wrapper = dict(optimizer=dict(lr=0.05))
param_scheduler = dict(milestones=[epochs * 3 // 5, epochs * 4 // 5])
train_cfg = dict(max_epochs=epochs)
