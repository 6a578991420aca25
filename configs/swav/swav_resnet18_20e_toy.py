# Minutes on two cores: ResNet-18, small crops, 32 prototypes on toy tiles.
_base_ = ['./swav_resnet50_small-data-100e_tiles.py']

data_root = 'data/toy/urban-tiles/tiles'
batch_size = 32
width = 512
epochs = 20

model = dict(
    backbone=dict(depth=18),
    neck=dict(in_channels=width, hid_channels=width),
    head=dict(loss=dict(num_prototypes=32, num_crops=(2, 4), queue_length=128)),
)
augment = [
    dict(type='RandomDihedral'),
    dict(type='RandomColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, prob=0.8),
]
train_pipeline = [
    dict(type='LoadPicture'),
    dict(
        type='MultiView',
        num_views=[2, 4],
        transforms=[
            [dict(type='RandomResizedCrop', size=96, scale=(0.2, 1.0)), *augment],
            [dict(type='RandomResizedCrop', size=48, scale=(0.05, 0.2)), *augment],
        ],
    ),
    dict(type='PackRaster'),
]
train_dataloader = dict(
    batch_size=batch_size, dataset=dict(data_root=data_root, pipeline=train_pipeline)
)
optim_wrapper = dict(type='OptimWrapper')
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        eta_min=0.0015,
        begin=0,
        convert_to_iter_based=True,
    )
]
train_cfg = dict(max_epochs=epochs)
custom_hooks = [dict(type='SwAVScheduleHook', freeze_steps=1.0, queue_start_epoch=2)]
