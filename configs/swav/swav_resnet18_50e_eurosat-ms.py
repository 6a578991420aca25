# SwAV on all 13 bands: EuroSAT's GeoTIFFs as unlabelled tiles, ten classes, so 100 prototypes.
_base_ = ['./swav_resnet50_small-data-100e_tiles.py']

data_root = 'data/eurosat/tif'
batch_size = 256
bands = 'eurosat'
width = 512
epochs = 50

model = dict(
    data_preprocessor=dict(
        _delete_=True, type='MultiSpectralPreprocessor', bands=bands, stats='eurosat'
    ),
    backbone=dict(depth=18),
    neck=dict(in_channels=width, hid_channels=width),
    head=dict(loss=dict(num_prototypes=100, num_crops=(2, 4))),
)
augment = [
    dict(type='RandomDihedral'),
    dict(type='RandomBrightnessContrast', brightness=0.4, contrast=0.4, prob=0.8),
    dict(type='RandomGaussianBlur', sigma=(0.1, 1.0), prob=0.3),
]
train_pipeline = [
    dict(type='LoadRaster', order=bands),
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
train_dataloader = dict(
    batch_size=batch_size, dataset=dict(data_root=data_root, pipeline=train_pipeline)
)
optim_wrapper = dict(optimizer=dict(lr=0.6))
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        eta_min=0.006,
        begin=0,
        convert_to_iter_based=True,
    )
]
train_cfg = dict(max_epochs=epochs)
