# MoCo v2 on the four bands of 10 m, the experiment that the README shows whole.
_base_ = [
    '../_base_/datasets/eurosat_ms.py',
    '../_base_/schedules/ssl_sgd_cosine.py',
    '../_base_/default_runtime.py',
]
bands = ['B02', 'B03', 'B04', 'B08']  # by name, any number

data_preprocessor = dict(bands=bands)
model = dict(
    type='MoCo',
    backbone=dict(type='mmpretrain.ResNet', depth=18, in_channels='auto'),  # from the bands
    queue_len=4096,
    temperature=0.2,
)
view = [
    dict(type='RandomResizedCrop', size=32, scale=(0.2, 1.0)),
    dict(type='RandomDihedral'),  # from above there is no up or down
    dict(type='RandomBrightnessContrast'),  # right for any band count and depth
]
views = dict(type='MultiView', num_views=2, transforms=view)
train_pipeline = [dict(type='LoadRaster'), views, dict(type='PackRaster')]
train_dataloader = dict(dataset=dict(bands=bands, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(bands=bands))
test_dataloader = dict(dataset=dict(bands=bands))
