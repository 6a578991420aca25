"""Tiles of high and low crime rate, splits disjoint by city (tiles.csv)."""

data_root = 'data/toy/urban-tiles'
batch_size = 64
num_workers = 2

data_preprocessor = dict(
    type='MultiSpectralPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]
)
train_pipeline = [
    dict(type='LoadRaster'),
    dict(type='RandomResizedCrop', size=224),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackRaster'),
]
test_pipeline = [
    dict(type='LoadRaster'),
    dict(type='mmpretrain.CenterCrop', crop_size=224),
    dict(type='PackRaster'),
]
loader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    collate_fn=dict(type='default_collate'),
)
dataset = dict(type='CrimeTiles', data_root=data_root)
train_dataloader = dict(
    sampler=dict(type='EpochSampler', shuffle=True),
    dataset=dict(split='train', pipeline=train_pipeline, **dataset),
    **loader,
)
val_dataloader = dict(
    sampler=dict(type='EpochSampler', shuffle=False),
    dataset=dict(split='val', pipeline=test_pipeline, test_mode=True, **dataset),
    **loader,
)
test_dataloader = dict(
    sampler=dict(type='EpochSampler', shuffle=False),
    dataset=dict(split='test', pipeline=test_pipeline, test_mode=True, **dataset),
    **loader,
)
val_evaluator = [
    dict(type='mmpretrain.Accuracy', topk=(1,)),
    dict(type='mmpretrain.SingleLabelMetric', items=('f1-score',)),
]
test_evaluator = val_evaluator
