# MoCo v2 on EuroSAT's 13 bands: augmentation that is right for any band count.
_base_ = [
    '../_base_/datasets/eurosat_ms.py',
    '../_base_/schedules/ssl_sgd_cosine.py',
    '../_base_/default_runtime.py',
]

model = dict(
    type='MoCo',
    backbone=dict(type='mmpretrain.ResNet', depth=18, in_channels=13),
    neck=dict(type='MoCoMLP', in_channels=512, out_channels=128),
    queue_len=4096,
    temperature=0.2,
    data_preprocessor=dict(type='MultiSpectralPreprocessor', bands='eurosat', stats='eurosat'),
)
view = [
    dict(type='RandomResizedCrop', size=32, scale=(0.2, 1.0)),
    dict(type='RandomDihedral'),
    dict(type='RandomBrightnessContrast', brightness=0.4, contrast=0.4, prob=0.8),
    dict(type='RandomGaussianBlur', sigma=(0.1, 2.0), prob=0.5),
]
train_pipeline = [
    dict(type='LoadRaster'),
    dict(type='MultiView', num_views=2, transforms=view),
    dict(type='PackRaster'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
