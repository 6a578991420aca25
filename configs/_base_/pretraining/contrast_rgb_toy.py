"""The dated RGB methods on a toy CACo archive, small enough for a CPU."""

_base_ = './contrast_rgb.py'
data_root = 'data/toy/caco'
batch_size = 64
num_workers = 0
packed = None
scene_size = 96  # pixels of 10 m, the --size that the archive was written with
view_size = 32

# Weak colour: on ToyEarth as on EuroSAT colour tells the classes apart.
colour = [
    dict(
        type='RandomColorJitter', brightness=0.4, contrast=0.4, saturation=0.2, hue=0.02, prob=0.8
    ),
    dict(type='RandomGaussianBlur', sigma=(0.1, 1.0), prob=0.5),
    dict(type='RandomDihedral'),
]
train_pipeline = [
    dict(type='SampleDates'),
    dict(type='LoadScenes', size=scene_size),
    dict(type='QuantileStretch', quantiles='seco'),
    dict(type='SeasonalViews', size=view_size, aug=colour),
    dict(type='PackRaster'),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    dataset=dict(
        type='CACoDataset',
        data_root=data_root,
        packed=packed,
        pipeline=train_pipeline,
    ),
)
# 0.999 would leave the key encoder of so short a run where it started.
model = dict(queue_len=512, momentum=0.98)
