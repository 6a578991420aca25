# SpaceNet 2 building tiles (0.3 m, 16 bit), one tile left out for the test: small and honest.
_base_ = [
    '../_base_/models/xdxd_unet_vgg16.py',
    '../_base_/schedules/adam_footprints.py',
    '../_base_/default_runtime.py',
]
data_root = 'data/spacenet2_vegas'
batch_size = 4
epochs = 30
num_workers = 0
held_out = 'AOI_2_Vegas_img225'
tile = 650

# Mean and standard deviation of four tiles, in digital numbers.
data_preprocessor = dict(
    type='MultiSpectralPreprocessor',
    bands='rgb',
    stats=None,
    mean=(422.0, 576.0, 429.0),
    std=(240.0, 250.0, 148.0),
)
model = dict(
    backbone=dict(base_channels=16),
    decode_head=dict(base_channels=16),
    tile=tile,
)
load = [dict(type='LoadRaster'), dict(type='LoadFootprints'), dict(type='RasterizeFootprints')]
train_pipeline = [
    *load,
    dict(type='RandomFlipRot90', flip_prob=0.5, rot_prob=0.5),
    dict(type='CropFootprints', size=256),
    dict(type='PackFootprints'),
]
test_pipeline = [*load, dict(type='PackFootprints', footprints=True)]

tiles = dict(type='BuildingTiles', data_root=data_root, img_dir='3band')
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    sampler=dict(type='EpochSampler', shuffle=True),
    drop_last=True,
    dataset=dict(
        type='RepeatDataset',
        times=8,
        dataset=dict(exclude=[held_out], pipeline=train_pipeline, **tiles),
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    sampler=dict(type='EpochSampler', shuffle=False),
    dataset=dict(include=[held_out], pipeline=test_pipeline, test_mode=True, **tiles),
)
test_dataloader = val_dataloader

optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [dict(type='MultiStepLR', milestones=[epochs * 2 // 3], gamma=0.1)]
# The held-out tile is looked at once, after the last epoch: it chooses nothing.
train_cfg = dict(max_epochs=epochs, val_interval=epochs)
# 100 pixels are 9 square metres.
val_evaluator = dict(type='FootprintMetric', instances=True, min_area=100)
test_evaluator = val_evaluator
