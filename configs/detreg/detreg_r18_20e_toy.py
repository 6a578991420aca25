# A small DETReg for two cores, to be fine-tuned by deformable-detr_r18_30e_toy.py.
_base_ = [
    '../_base_/models/detreg_r50.py',
    '../_base_/datasets/detreg_tiles.py',
    '../_base_/schedules/detr_adamw.py',
    '../_base_/default_runtime.py',
]

data_root = 'data/toy/aerial/images'
batch_size = 4
num_workers = 2
cache_dir = 'data/toy/proposal_cache'
teacher_checkpoint = None  # checkpoint of configs/swav/swav_resnet18_20e_toy.py
epochs = 20
scale = (256, 256)

backbone = dict(depth=18)
if teacher_checkpoint:
    backbone['init_cfg'] = dict(
        type='Pretrained', checkpoint=teacher_checkpoint, prefix='backbone.'
    )
model = dict(
    num_queries=100,
    backbone=backbone,
    neck=dict(in_channels=[128, 256, 512]),
    encoder=dict(num_layers=3),
    decoder=dict(num_layers=3),
    teacher=dict(backbone=dict(depth=18), checkpoint=teacher_checkpoint),
    bbox_head=dict(embedding_dim=128),
)
train_pipeline = [
    dict(type='LoadPicture'),
    dict(type='SearchProposals', count=30, min_side=6, cache_dir=cache_dir),
    dict(type='CropProposalPatches', size=64),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmdet.Resize', scale=scale, keep_ratio=True),
    dict(type='PackDETRegInputs'),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    dataset=dict(data_root=data_root, pipeline=train_pipeline),
)
optim_wrapper = dict(optimizer=dict(lr=4e-4))
train_cfg = dict(max_epochs=epochs)
val_cfg = None
test_cfg = None
param_scheduler = []
