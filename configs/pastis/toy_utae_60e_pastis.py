# A narrow U-TAE on crops of ToyEarth, a few minutes on one CPU core.
_base_ = './utae_100e_pastis.py'
data_root = 'data/toy/pastis'
epochs = 60
max_dates = 12
crop = 32
lr = 3e-3
gamma = 0.96
steps = [
    dict(type='NormalizeSeries'),
    dict(type='LoadSeriesLabel'),
    dict(type='RandomCropMap', size=crop),
    dict(type='RandomDihedral'),
    dict(type='PackMap'),
]
train_pipeline = [dict(type='LoadSeries', max_dates=max_dates), *steps]

model = dict(backbone=dict(encoder=(32, 32, 32, 64), decoder=(32, 32, 32, 64), heads=8, width=128))
train_dataloader = dict(batch_size=2, dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root))
train_cfg = dict(max_epochs=epochs, val_interval=15)
