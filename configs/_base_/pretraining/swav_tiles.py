"""Unlabelled RGB tiles in two large and six small crops."""

data_root = 'data/tiles'
batch_size = 64
num_workers = 2
num_crops = (2, 6)
large_size = 224
small_size = 96

augment = [
    dict(type='RandomFlip', prob=0.5),
    dict(type='RandomColorJitter', brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2, prob=0.8),
    dict(type='RandomGray', prob=0.2),
    dict(type='RandomGaussianBlur', sigma=(0.1, 2.0), prob=0.5),
]
train_pipeline = [
    dict(type='LoadPicture'),
    dict(
        type='MultiView',
        num_views=list(num_crops),
        transforms=[
            [dict(type='RandomResizedCrop', size=large_size, scale=(0.14, 1.0)), *augment],
            [dict(type='RandomResizedCrop', size=small_size, scale=(0.05, 0.14)), *augment],
        ],
    ),
    dict(type='PackRaster'),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='EpochSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    drop_last=True,
    dataset=dict(type='UnlabeledTiles', data_root=data_root, pipeline=train_pipeline),
)
