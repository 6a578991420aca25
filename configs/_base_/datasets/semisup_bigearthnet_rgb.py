"""BigEarthNet-S2 v1, RGB, in two streams: 43 labels, mean +- 2 std to [0, 1], 128 pixels."""

data_root = 'data/bigearthnet/BigEarthNet-v1.0'
# Lists of tools/dataset_converters/bigearthnet_lists.py, made from the published splits.
lists = 'data/bigearthnet/stssl'
share = '0.01'
exclude_files = [
    'data/bigearthnet/patches_with_seasonal_snow.csv',
    'data/bigearthnet/patches_with_cloud_and_shadow.csv',
]
num_classes = 43
labelled = 64
unlabelled = 448
labelled_strong = 0  # 1 for DeFixMatch
where = 'device'
num_workers = 8
bands = 's2-rgb'
views = dict(
    size=128, resize='corners', scale=1.0, policy='reference', table='bigearthnet', bands=bands
)

data_preprocessor = dict(
    type='TwoStreamPreprocessor',
    views=views,
    bands=bands,
    mean=[0.5, 0.5, 0.5],
    std=[0.25, 0.25, 0.25],
)
load = [
    dict(type='LoadBandFiles', size=120),
    dict(type='ScaleMeanStd', stats='bigearthnet', out='float32'),
]
labelled_pipeline = [
    *load,
    dict(type='WeakStrong', weak=1, strong=labelled_strong, where=where, views=views),
    dict(type='PackViews'),
]
unlabelled_pipeline = [
    *load,
    dict(type='WeakStrong', weak=1, strong=1, where=where, views=views),
    dict(type='PackViews'),
]
test_pipeline = [*load, dict(type='PackViews')]

patches = dict(
    type='BigEarthNetSSL',
    data_root=data_root,
    num_classes=num_classes,
    bands=bands,
    exclude_files=exclude_files,
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
        absent='warn',  # half a percent of the patches need not show every label
        labelled=dict(
            **patches, split_file=f'{lists}/train{share}_lb_43.csv', pipeline=labelled_pipeline
        ),
        unlabelled=dict(
            **patches, split_file=f'{lists}/train{share}_ulb_43.csv', pipeline=unlabelled_pipeline
        ),
    ),
)
unseen = dict(**patches, pipeline=test_pipeline, test_mode=True)
val_dataloader = dict(
    **loader,
    batch_size=512,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(**unseen, split_file=f'{lists}/val.csv'),
)
test_dataloader = dict(
    **loader,
    batch_size=512,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(**unseen, split_file=f'{lists}/test.csv'),
)
val_evaluator = dict(type='MultiLabelAP')
test_evaluator = val_evaluator
