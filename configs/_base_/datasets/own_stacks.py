"""One's own series: `images/<place>/<date>.tif` and `labels/<place>.tif`; see docs/own_data.md."""

data_root = 'data/own/stacks'
bands = ('B02', 'B03', 'B04', 'B08')  # names of the images' bands, in the order of the files
stats = 'eurosat'  # or a file written by tools/analysis_tools/band_stats.py
classes = None  # names in label order; numbers without
palette = None
label_offset = 0
label_field = None  # attribute of vector labels that gives the class
tile = 128
max_dates = None  # in training; keeps a random subset of so many dates
batch_size = 4
num_workers = 2
fractions = (0.8, 0.2)  # where there are no folders train, val, test
test_split = 'val'

data_preprocessor = dict(type='SeriesPreprocessor', bands=bands, stats=stats)

steps = [dict(type='LoadLabelMap'), dict(type='PadMap', size=tile)]
train_pipeline = [
    dict(type='LoadStack', max_dates=max_dates),
    *steps,
    dict(type='RandomDihedral'),
    dict(type='PackMap'),
]
test_pipeline = [dict(type='LoadStack'), *steps, dict(type='PackMap')]
places = dict(
    type='StackFolder',
    data_root=data_root,
    bands=bands,
    classes=classes,
    palette=palette,
    label_offset=label_offset,
    label_field=label_field,
    tile=tile,
    fractions=fractions,
)
loader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    collate_fn=dict(type='pseudo_collate'),
)
unseen = dict(**places, pipeline=test_pipeline, test_mode=True)
in_order = dict(type='EpochSampler', shuffle=False)

train_dataloader = dict(
    **loader,
    sampler=dict(type='EpochSampler', shuffle=True),
    drop_last=True,
    dataset=dict(**places, split='train', pipeline=train_pipeline),
)
val_dataloader = dict(**loader, sampler=in_order, dataset=dict(**unseen, split='val'))
test_dataloader = dict(**loader, sampler=in_order, dataset=dict(**unseen, split=test_split))
val_evaluator = dict(type='SegMetric')
test_evaluator = val_evaluator
