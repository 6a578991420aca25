"""Aerial images with boxes: loaders for any of the detection datasets, COCO metrics."""

data_root = 'data/toy/aerial'
dataset_type = 'DOTA'
dataset_options = dict()  # e.g. dict(tile=1024, stride=824)
train_split = 'train'
val_split = 'val'
label_fraction = 1.0
seed = 0  # of the splits
batch_size = 2
num_workers = 2
scale = (1333, 800)  # long and short side to which images are resized at most

meta_keys = (
    'img_id',
    'img_path',
    'ori_shape',
    'img_shape',
    'scale_factor',
    'instances',
    'crs',
    'transform',
)
train_pipeline = [
    dict(type='LoadPicture'),
    dict(type='mmdet.LoadAnnotations', with_bbox=True),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmdet.Resize', scale=scale, keep_ratio=True),
    dict(type='mmdet.PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape')),
]
test_pipeline = [
    dict(type='LoadPicture', sidecars=True),
    dict(type='mmdet.Resize', scale=scale, keep_ratio=True),
    dict(type='mmdet.LoadAnnotations', with_bbox=True),
    dict(type='mmdet.PackDetInputs', meta_keys=meta_keys),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='EpochSampler', shuffle=True),
    collate_fn=dict(type='pseudo_collate'),
    drop_last=True,
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split=train_split,
        label_fraction=label_fraction,
        seed=seed,
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=train_pipeline,
        **dataset_options,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='pseudo_collate'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split=val_split,
        seed=seed,
        test_mode=True,
        pipeline=test_pipeline,
        **dataset_options,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='mmdet.CocoMetric', metric=['bbox'], classwise=True)
# 'proposal' is the recall over all classes; mmdet's 'proposal_fast' fails with numpy from 1.24 on.
test_evaluator = dict(type='mmdet.CocoMetric', metric=['bbox', 'proposal'], classwise=True)
