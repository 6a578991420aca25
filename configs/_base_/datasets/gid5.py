"""GID-5 in colour, tiles of 256 pixels; class 0 (not labelled) does not count."""

data_root = 'data/gid5'
tile = 256
batch_size = 8
num_workers = 2
fractions = (0.8, 0.2)

dataset_type = 'GID'
data_preprocessor = dict(type='MultiSpectralPreprocessor', bands='rgb', stats='imagenet')

train_pipeline = [
    dict(type='LoadRaster'),
    dict(type='LoadLabelMap'),
    dict(type='PadMap', size=tile),
    dict(type='RandomDihedral'),
    dict(type='RandomColorJitter', brightness=0.2, contrast=0.2, saturation=0.2, hue=0.0),
    dict(type='PackMap'),
]
test_pipeline = [
    dict(type='LoadRaster'),
    dict(type='LoadLabelMap'),
    dict(type='PadMap', size=tile),
    dict(type='PackMap'),
]
scenes = dict(
    type=dataset_type,
    data_root=data_root,
    num_classes=5,
    tile=tile,
    fractions=fractions,
)

train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='EpochSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    drop_last=True,
    dataset=dict(**scenes, split='train', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(**scenes, split='val', pipeline=test_pipeline, test_mode=True),
)
test_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(**scenes, split='val', pipeline=test_pipeline, test_mode=True),
)
val_evaluator = dict(type='SegMetric', void=(0,))
test_evaluator = dict(type='SegMetric', void=(0,))
