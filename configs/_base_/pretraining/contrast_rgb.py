"""MoCo v2, MoCo-TP, SeCo, TeCo and CACo on dated RGB scenes: one line chooses the method."""

method = 'seco'  # moco, moco_tp, seco, teco, caco
archive = 'seco'  # layout: seco (five dates a place) or caco (five old and five new ones)
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
    # Old and new image of a place must share a batch.
    sampler=dict(
        type='PairedPlaceSampler' if method in ('teco', 'caco') else 'EpochSampler', shuffle=True
    ),
    collate_fn=dict(type='default_collate'),
    drop_last=True,
    dataset=dict(
        type=dict(seco='SeCoDataset', caco='CACoDataset')[archive],
        data_root=data_root,
        packed=packed,
        mode=method,
        bands='s2-rgb',
        on_bad=on_bad,
        pipeline=train_pipeline,
    ),
)

depth = 18
queue_len = 16384

model = dict(
    type=dict(moco='MoCo', moco_tp='MoCo', seco='SeCo', teco='TeCo', caco='CACo')[method],
    backbone=dict(type='mmpretrain.ResNet', depth=depth),
    neck=dict(
        type='MoCoMLP',
        in_channels='auto',
        out_channels=128,
        num_spaces=1 if method in ('moco', 'moco_tp') else 3,
    ),
    queue_len=queue_len,
    feat_dim=128,
    momentum=0.999,
    temperature=0.07,
    data_preprocessor=dict(type='MultiSpectralPreprocessor', bands='s2-rgb', stats='imagenet-s2'),
)
custom_hooks = [dict(type='ChangeFlagHook')] if method == 'caco' else []
