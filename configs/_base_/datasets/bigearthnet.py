"""BigEarthNet-S2 v1, RGB, as SeCo and CACo judge on it: 8 bit by mean +- 2 std, 128 pixels."""

data_root = 'data/bigearthnet/BigEarthNet-v1.0'
lists = 'data/bigearthnet/splits'
exclude_files = [
    'data/bigearthnet/patches_with_seasonal_snow.csv',
    'data/bigearthnet/patches_with_cloud_and_shadow.csv',
]
num_classes = 19
fraction = 1.0  # 0.1 for the 10 % setting
batch_size = 256
num_workers = 8

data_preprocessor = dict(type='MultiSpectralPreprocessor', bands='s2-rgb', stats='imagenet-s2')
pipeline = [
    dict(type='LoadBandFiles', size=120),
    dict(type='ScaleMeanStd', stats='bigearthnet'),
    dict(type='mmcv.Resize', scale=(128, 128), interpolation='bicubic'),
    dict(type='PackRaster'),
]
loader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    collate_fn=dict(type='default_collate'),
)
patches = dict(
    type='BigEarthNet',
    data_root=data_root,
    num_classes=num_classes,
    exclude_files=exclude_files,
    pipeline=pipeline,
)
train_dataloader = dict(
    **loader,
    sampler=dict(type='EpochSampler', shuffle=True),
    drop_last=True,
    dataset=dict(**patches, split_file=f'{lists}/train.csv', fraction=fraction),
)
val_dataloader = dict(
    **loader,
    sampler=dict(type='EpochSampler', shuffle=False),
    dataset=dict(**patches, split_file=f'{lists}/val.csv', test_mode=True),
)
test_dataloader = dict(
    **loader,
    sampler=dict(type='EpochSampler', shuffle=False),
    dataset=dict(**patches, split_file=f'{lists}/test.csv', test_mode=True),
)
val_evaluator = dict(type='MultiLabelAP')
test_evaluator = val_evaluator
