"""Contrast of dated RGB scenes: a model, and the date rule that says what it compares."""

mode = 'seco'  # date rule; SeCo's three dates, moco, moco_tp, teco, caco or one's own
archive = 'SeCoDataset'  # layout: five dates a place, or CACoDataset: five old and five new ones
data_root = 'data/seasonal_contrast_100k'
packed = None  # folder made by tools/dataset_converters/pack_scenes.py: reads that instead
batch_size = 256
num_workers = 8
scene_size = 264  # pixels of 10 m; a pack must have the same
view_size = 224
on_bad = 'error'

train_pipeline = [
    dict(type='SampleDates'),
    dict(type='LoadScenes', size=scene_size),
    dict(type='QuantileStretch', quantiles='seco'),
    dict(type='SeasonalViews', size=view_size),
    dict(type='PackRaster'),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='PlaceSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    drop_last=True,
    dataset=dict(
        type=archive,
        data_root=data_root,
        packed=packed,
        mode=mode,
        bands='s2-rgb',
        on_bad=on_bad,
        pipeline=train_pipeline,
    ),
)

depth = 18
queue_len = 16384

model = dict(
    type='SeCo',
    backbone=dict(type='mmpretrain.ResNet', depth=depth),
    neck=dict(type='MoCoMLP', in_channels='auto', out_channels=128),
    queue_len=queue_len,
    feat_dim=128,
    momentum=0.999,
    temperature=0.07,
    data_preprocessor=dict(type='MultiSpectralPreprocessor', bands='s2-rgb', stats='imagenet-s2'),
)
