"""One's own pairs in `A/`, `B/` and `label/`; see docs/own_data.md."""

data_root = 'data/own/pairs'
bands = 'rgb'  # names of the images' bands
stats = 'imagenet'  # or a file written by tools/analysis_tools/band_stats.py
encoding = 'auto'  # of the labels: 0/1, 0/255, ...
crop = 128
batch_size = 8
num_workers = 2
fractions = (0.8, 0.2)  # where there are no folders train, val, test
test_split = 'val'

data_preprocessor = dict(type='MultiSpectralPreprocessor', bands=bands, stats=stats)

load = dict(type='LoadPair', cache=4)
train_pipeline = [
    load,
    dict(type='RandomCropMap', size=crop, focus=0.5),
    dict(type='RandomDihedral'),
    dict(type='SwapDates'),
    dict(type='PackMap'),
]
test_pipeline = [load, dict(type='PackMap')]
pairs = dict(
    type='ChangeFolder', data_root=data_root, bands=bands, encoding=encoding, fractions=fractions
)
loader = dict(
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    collate_fn=dict(type='default_collate'),
)
unseen = dict(**pairs, pipeline=test_pipeline, test_mode=True)
in_order = dict(type='EpochSampler', shuffle=False)

train_dataloader = dict(
    **loader,
    batch_size=batch_size,
    sampler=dict(type='EpochSampler', shuffle=True),
    drop_last=True,
    dataset=dict(**pairs, split='train', pipeline=train_pipeline),
)
# Whole scenes of any size, one at a time.
val_dataloader = dict(**loader, batch_size=1, sampler=in_order, dataset=dict(**unseen, split='val'))
test_dataloader = dict(
    **loader, batch_size=1, sampler=in_order, dataset=dict(**unseen, split=test_split)
)
val_evaluator = dict(type='ChangeMetric')
test_evaluator = val_evaluator
