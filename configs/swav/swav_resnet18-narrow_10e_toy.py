# The teacher of detreg_r18-narrow_6e_toy.py: half the width, crops of 64 and 32 px.
_base_ = ['./swav_resnet18_20e_toy.py']

data_root = 'data/toy/aerial-unlabelled/images'
width = 256
epochs = 10

model = dict(
    backbone=dict(base_channels=32, stem_channels=32),
    neck=dict(in_channels=width, hid_channels=width),
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
            [dict(type='RandomResizedCrop', size=64, scale=(0.2, 1.0)), *augment],
            [dict(type='RandomResizedCrop', size=32, scale=(0.05, 0.2)), *augment],
        ],
    ),
    dict(type='PackRaster'),
]
train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        eta_min=0.0015,
        begin=0,
        convert_to_iter_based=True,
    )
]
train_cfg = dict(max_epochs=epochs)
