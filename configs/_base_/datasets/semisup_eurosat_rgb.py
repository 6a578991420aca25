"""EuroSAT RGB in two streams: few labelled chips, and all of them without their labels."""

data_root = 'data/eurosat'
metadata = 'auto'  # table of places; by default eurosat_metadata.parquet in data_root, if there
packed = None  # folder made by tools/dataset_converters/pack_dataset.py: reads that instead
num_labels = 40
label_seed = 0
draw = 'stratified'  # 'reference': the chips of the published runs
missing = 'error'
fractions = (0.9, 0.1)
train_split = 'train'
val_split = 'val'
test_split = 'val'
labelled = 8
unlabelled = 8
weak_views = 1
strong_views = 1
labelled_strong = 0  # 1 for DeFixMatch and CRMatch
where = 'device'  # views are made on the model's device; 'loader' makes them in the workers
num_workers = 2
val_batch_size = 256
view_size = 64
views = dict(size=view_size, policy='sane', bands='eurosat-rgb')

data_preprocessor = dict(
    type='TwoStreamPreprocessor',
    views=views,
    bands='eurosat-rgb',
    mean=[127.5, 127.5, 127.5],
    std=[127.5, 127.5, 127.5],
)
labelled_pipeline = [
    dict(type='LoadRaster'),
    dict(type='WeakStrong', weak=1, strong=labelled_strong, where=where, views=views),
    dict(type='PackViews'),
]
unlabelled_pipeline = [
    dict(type='LoadRaster'),
    dict(type='WeakStrong', weak=weak_views, strong=strong_views, where=where, views=views),
    dict(type='PackViews'),
]
test_pipeline = [dict(type='LoadRaster'), dict(type='PackViews')]

chips = dict(
    type='EuroSATSSL',
    data_root=data_root,
    packed=packed,
    metadata=metadata,
    fractions=fractions,
    num_labels=num_labels,
    label_seed=label_seed,
    draw=draw,
    missing=missing,
)
loader = dict(num_workers=num_workers, persistent_workers=num_workers > 0)
train_dataloader = dict(
    **loader,
    batch_size=labelled + unlabelled,
    drop_last=True,
    sampler=dict(type='TwoStreamSampler', labelled=labelled, unlabelled=unlabelled),
    collate_fn=dict(type='rsmm.two_stream_collate'),
    dataset=dict(
        type='TwoStreams',
        labelled=dict(**chips, subset='labelled', split=train_split, pipeline=labelled_pipeline),
        unlabelled=dict(
            **chips, subset='unlabelled', split=train_split, pipeline=unlabelled_pipeline
        ),
    ),
)
unseen = dict(**chips, subset='all', pipeline=test_pipeline, test_mode=True)
val_dataloader = dict(
    **loader,
    batch_size=val_batch_size,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(**unseen, split=val_split),
)
test_dataloader = dict(
    **loader,
    batch_size=val_batch_size,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(**unseen, split=test_split),
)
val_evaluator = dict(type='mmpretrain.Accuracy', topk=(1,))
test_evaluator = val_evaluator
