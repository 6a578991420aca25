"""SpaceNet 7: random 512-pixel crops of monthly mosaics; validation by place."""

data_root = 'data/spacenet7'
crop = 512
batch_size = 6
num_workers = 2
leaky_frames = False
val_aois = None  # None draws a tenth of the AOIs; neighbours stay together
val_fraction = 0.1

dataset_type = 'SpaceNet7Dataset'
data_preprocessor = dict(type='MultiSpectralPreprocessor', bands='rgb', stats='spacenet7')

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
    dict(type='CropFootprints', size=crop, centre=True),
    dict(type='PackFootprints'),
]
test_pipeline = [*load, dict(type='PackFootprints', footprints=True)]

dataset = dict(
    type=dataset_type,
    data_root=data_root,
    val_aois=val_aois,
    val_fraction=val_fraction,
    leaky_frames=leaky_frames,
)
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='EpochSampler', shuffle=True),
    drop_last=True,
    dataset=dict(subset='train', pipeline=train_pipeline, **dataset),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='EpochSampler', shuffle=False),
    dataset=dict(subset='val', pipeline=val_pipeline, test_mode=True, **dataset),
)
# Whole images in order of time, because SCOT follows buildings through the months.
test_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='EpochSampler', shuffle=False),
    dataset=dict(subset='val', pipeline=test_pipeline, test_mode=True, **dataset),
)

val_evaluator = dict(type='FootprintMetric')
test_evaluator = [dict(type='FootprintMetric', instances=True), dict(type='SCOTMetric')]
