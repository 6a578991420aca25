# SimCLR on 32-pixel crops of EuroSAT's RGB chips: four times the images per second of 64 pixels.
# Colour tells the classes apart, so it is jittered weakly and never dropped.
_base_ = [
    '../_base_/models/simclr_resnet18.py',
    '../_base_/datasets/eurosat_rgb.py',
    '../_base_/schedules/ssl_sgd_cosine.py',
    '../_base_/default_runtime.py',
]
batch_size = 256

view = [
    dict(type='RandomResizedCrop', size=32, scale=(0.1, 1.0)),
    dict(type='RandomDihedral'),
    dict(
        type='RandomColorJitter', brightness=0.4, contrast=0.4, saturation=0.2, hue=0.02, prob=0.8
    ),
]
train_pipeline = [
    dict(type='LoadRaster'),
    dict(type='MultiView', num_views=2, transforms=view),
    dict(type='PackRaster'),
]
train_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=batch_size)
test_dataloader = dict(batch_size=batch_size)
