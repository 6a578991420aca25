"""Tiles of high and low crime rate, splits disjoint by city (tiles.csv)."""

data_root = 'data/toy/urban-tiles'
maps_dir = None  # feature maps instead of images
held_out = 0.0  # share of the train cities' tiles kept for test_split='within'
test_split = 'test'
batch_size = 64
num_workers = 2

data_preprocessor = dict(
    type='MultiSpectralPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]
)
pack = dict(type='PackRaster', meta_keys=('img_path', 'img_shape', 'ori_shape', 'bands', 'city'))
train_pipeline = [
    dict(type='LoadPicture'),
    dict(type='RandomResizedCrop', size=224),
    dict(type='RandomFlip', prob=0.5),
    pack,
]
test_pipeline = [
    dict(type='LoadPicture'),
    dict(type='mmpretrain.CenterCrop', crop_size=224),
    pack,
]
loader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    collate_fn=dict(type='default_collate'),
)
dataset = dict(type='CrimeTiles', data_root=data_root, maps_dir=maps_dir, held_out=held_out)
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
    dataset=dict(split=test_split, pipeline=test_pipeline, test_mode=True, **dataset),
    **loader,
)
# Choosing an epoch needs no intervals.
val_evaluator = dict(type='BinaryReport', group='city', resamples=0, prefix='crime')
test_evaluator = dict(type='BinaryReport', group='city', prefix='crime')
