"""OSCD in natural colour; each scene stretched by its own quantiles, so that any source will do."""

data_root = 'data/oscd'
val_cities = ('nantes', 'rennes')  # of the training cities; the toy copy has them too
tile = 96
stride = 48
batch_size = 32
num_workers = 2

dataset_type = 'OSCD'
bands = 'rgb'
sources = ('rect', 'native', 'pair')
data_preprocessor = dict(type='MultiSpectralPreprocessor', bands='s2-rgb', stats='imagenet-s2')

load = dict(type='LoadPair', scale=dict(type='ScaleQuantile', out='uint8'))
train_pipeline = [
    load,
    dict(type='PadMap', size=tile),
    dict(type='RandomDihedral'),
    dict(type='SwapDates'),
    dict(type='PerDate', transforms=[dict(type='RandomBrightnessContrast', prob=0.5)]),
    dict(type='PackMap'),
]
test_pipeline = [load, dict(type='PackMap')]
scenes = dict(type=dataset_type, data_root=data_root, bands=bands, sources=sources)

train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='EpochSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    drop_last=True,
    dataset=dict(
        **scenes,
        split='train',
        exclude=val_cities,
        tile=tile,
        stride=stride,
        pipeline=train_pipeline,
    ),
)
# Whole scenes, one at a time.
val_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        **scenes, split='train', include=val_cities, pipeline=test_pipeline, test_mode=True
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(**scenes, split='test', pipeline=test_pipeline, test_mode=True),
)
val_evaluator = dict(type='ChangeMetric')
test_evaluator = dict(type='ChangeMetric')
