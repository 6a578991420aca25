# A small U-TAE of three levels on crops of ToyEarth, minutes on one CPU core. It needs more than
# the 40 patches of the default: make_toy_data.py pastis --patches 160.
_base_ = './utae_100e_pastis.py'
data_root = 'data/toy/pastis'
batch_size = 4
epochs = 70
max_dates = 18
crop = 32
lr = 3e-3
gamma = 0.955
steps = [
    dict(type='NormalizeSeries'),
    dict(type='LoadSeriesLabel'),
    dict(type='RandomCropMap', size=crop),
    dict(type='RandomDihedral'),
    dict(type='PackMap'),
]
train_pipeline = [dict(type='LoadSeries', max_dates=max_dates), *steps]

model = dict(backbone=dict(encoder=(32, 32, 64), decoder=(32, 32, 64), heads=8, width=128))
train_dataloader = dict(
    batch_size=batch_size, dataset=dict(data_root=data_root, pipeline=train_pipeline)
)
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root))
optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = dict(gamma=gamma)
train_cfg = dict(max_epochs=epochs, val_interval=23)
