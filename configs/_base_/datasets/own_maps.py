"""One's own images with label maps in `images/` and `labels/`; see docs/own_data.md."""

data_root = 'data/own/maps'
bands = 'rgb'  # names of the images' bands, in the order of the files
stats = 'imagenet'  # or a file written by tools/analysis_tools/band_stats.py
classes = None  # names in label order; numbers without
palette = None
label_offset = 0
label_field = None  # attribute of vector labels that gives the class
tile = 256
batch_size = 8
num_workers = 2
fractions = (0.8, 0.2)  # where there are no folders train, val, test
test_split = 'val'

data_preprocessor = dict(type='MultiSpectralPreprocessor', bands=bands, stats=stats)

load = [dict(type='LoadRaster'), dict(type='LoadLabelMap'), dict(type='PadMap', size=tile)]
train_pipeline = [*load, dict(type='RandomDihedral'), dict(type='PackMap')]
test_pipeline = [*load, dict(type='PackMap')]
scenes = dict(
    type='MapFolder',
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
    collate_fn=dict(type='default_collate'),
)
unseen = dict(**scenes, pipeline=test_pipeline, test_mode=True)
in_order = dict(type='EpochSampler', shuffle=False)

train_dataloader = dict(
    **loader,
    sampler=dict(type='EpochSampler', shuffle=True),
    drop_last=True,
    dataset=dict(**scenes, split='train', pipeline=train_pipeline),
)
val_dataloader = dict(**loader, sampler=in_order, dataset=dict(**unseen, split='val'))
test_dataloader = dict(**loader, sampler=in_order, dataset=dict(**unseen, split=test_split))
val_evaluator = dict(type='SegMetric')
test_evaluator = val_evaluator
