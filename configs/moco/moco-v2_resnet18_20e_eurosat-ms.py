# MoCo v2 on EuroSAT's 13 bands: augmentation that is right for any band count.
_base_ = [
    '../_base_/models/moco_resnet18.py',
    '../_base_/datasets/eurosat_ms.py',
    '../_base_/schedules/ssl_sgd_cosine.py',
    '../_base_/default_runtime.py',
]
batch_size = 256

view = [
    dict(type='RandomResizedCrop', size=32, scale=(0.1, 1.0)),
    dict(type='RandomDihedral'),
    dict(type='RandomBrightnessContrast', brightness=0.4, contrast=0.4, prob=0.8),
    dict(type='RandomGaussianBlur', sigma=(0.1, 2.0), prob=0.5),
]
train_pipeline = [
    dict(type='LoadRaster', nodata=0),
    dict(type='MultiView', num_views=2, transforms=view),
    dict(type='PackRaster'),
]
train_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=batch_size)
test_dataloader = dict(batch_size=batch_size)
