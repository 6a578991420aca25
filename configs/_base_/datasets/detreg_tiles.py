"""Unlabelled tiles with selective-search proposals and the patches they cut out."""

data_root = 'data/tiles'
cache_dir = 'data/proposal_cache'
strategy = 'topk'  # mc, stratified, random, edge_density, random_box
num_proposals = 30
batch_size = 8
num_workers = 4
jitter = [
    dict(type='RandomColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, prob=0.8),
    dict(type='RandomGray', prob=0.2),
    dict(type='RandomGaussianBlur', sigma=(0.1, 2.0), prob=0.5),
]
short_sides = [
    dict(
        type='mmdet.RandomChoiceResize',
        scales=[(side, 600) for side in range(320, 481, 16)],
        resize_type='mmdet.Resize',  # mmcv's own knows no box objects
        keep_ratio=True,
    )
]
train_pipeline = [
    dict(type='LoadPicture'),
    dict(type='SearchProposals', count=num_proposals, strategy=strategy, cache_dir=cache_dir),
    dict(type='CropProposalPatches', size=128, transforms=jitter),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(
        type='RandomChoice',
        transforms=[
            short_sides,
            [
                dict(
                    type='mmdet.RandomChoiceResize',
                    scales=[(4200, 400), (4200, 500), (4200, 600)],
                    resize_type='mmdet.Resize',
                    keep_ratio=True,
                ),
                dict(
                    type='mmdet.RandomCrop',
                    crop_type='absolute_range',
                    crop_size=(384, 600),
                    allow_negative_crop=True,
                ),
                *short_sides,
            ],
        ],
    ),
    dict(type='PackDETRegInputs'),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='EpochSampler', shuffle=True),
    collate_fn=dict(type='pseudo_collate'),
    drop_last=True,
    dataset=dict(type='UnlabeledTiles', data_root=data_root, pipeline=train_pipeline),
)
