# A quarter of the width on ToyEarth: a few minutes on two CPU cores.
_base_ = './baseline_fixed_xdxd-vgg16_300e_spacenet7.py'
data_root = 'data/toy/spacenet7'
epochs = 60
lr = 1e-3
crop = 128
batch_size = 4
tile = 256

model = dict(
    backbone=dict(base_channels=16),
    decode_head=dict(base_channels=16),
    tile=tile,
)
load = [
    dict(type='LoadMosaic'),
    dict(type='LoadFootprints'),
    dict(type='RasterizeFootprints', channels=('footprint',), ignore_nodata=True),
]
train_pipeline = [
    *load,
    dict(type='RandomFlipRot90', flip_prob=0.5, rot_prob=0.5),
    dict(type='CropFootprints', size=crop),
    dict(type='PackFootprints'),
]
val_pipeline = [
    *load,
    dict(type='CropFootprints', size=tile, centre=True),
    dict(type='PackFootprints'),
]
dataset = dict(data_root=data_root, val_fraction=0.3)
train_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=train_pipeline, **dataset))
val_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=val_pipeline, **dataset))
test_dataloader = dict(dataset=dataset)

optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = [dict(type='MultiStepLR', milestones=[epochs * 2 // 3], gamma=0.1)]
train_cfg = dict(max_epochs=epochs, val_interval=10)
