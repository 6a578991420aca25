# U-TAE on ToyEarth, a few minutes on two CPU cores.
_base_ = './utae_100e_pastis.py'
data_root = 'data/toy/pastis'
epochs = 60
max_dates = 16
steps = [
    dict(type='NormalizeSeries'),
    dict(type='LoadSeriesLabel'),
    dict(type='RandomDihedral'),
    dict(type='PackMap'),
]
train_pipeline = [dict(type='LoadSeries', max_dates=max_dates), *steps]

train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root))
train_cfg = dict(max_epochs=epochs)
