"""PASTIS, whole series of 10 bands; folds 1 to 3 train, 4 validates, 5 tests."""

data_root = 'data/pastis'
train_folds = (1, 2, 3)
val_folds = (4,)
test_folds = (5,)
max_dates = None  # in training; keeps a random subset of so many dates
batch_size = 4
num_workers = 2

dataset_type = 'PASTIS'
data_preprocessor = dict(type='SeriesPreprocessor', bands='pastis')

train_pipeline = [
    dict(type='LoadSeries', max_dates=max_dates),
    dict(type='NormalizeSeries'),
    dict(type='LoadSeriesLabel'),
    dict(type='RandomDihedral'),
    dict(type='PackMap'),
]
test_pipeline = [
    dict(type='LoadSeries'),
    dict(type='NormalizeSeries'),
    dict(type='LoadSeriesLabel'),
    dict(type='PackMap'),
]
patches = dict(type=dataset_type, data_root=data_root, norm_folds=train_folds)

train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='EpochSampler', shuffle=True),
    collate_fn=dict(type='pseudo_collate'),
    drop_last=True,
    dataset=dict(**patches, folds=train_folds, pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(**patches, folds=val_folds, pipeline=test_pipeline, test_mode=True),
)
test_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(**patches, folds=test_folds, pipeline=test_pipeline, test_mode=True),
)
# The official protocol: void is ignored, the background is one of 19 classes.
val_evaluator = dict(type='SegMetric', void=(19,))
test_evaluator = dict(type='SegMetric', void=(19,))
