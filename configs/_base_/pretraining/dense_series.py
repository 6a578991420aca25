"""Months of cells for DenseContrast: SGD, a tenth of the rate every seven epochs, batch 4."""

data_root = 'data/ripples/cells'
batch_size = 4
num_workers = 4
epochs = 20
lr = 1e-3
min_dates = 60  # cells with fewer months are left out
max_dates = 60
window = 256
use_time = False  # True: the second view shows the following month
bands = None  # names of the bands; None takes all that the files have

data_preprocessor = dict(type='MultiSpectralPreprocessor', bands='rgb', stats='imagenet')
colour = [
    dict(type='RandomColorJitter', brightness=0.1, contrast=0.1, saturation=0.1, hue=0.05, prob=1.0)
]
train_pipeline = [
    dict(type='LoadEventPair', bands=bands, window=window),
    dict(type='DenseViews', colour=colour),
    dict(type='PackRaster', meta_keys=('sample_idx', 'img_path', 'bands', 'view_matrix')),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='DistinctPlaceSampler', batch_size=batch_size, shuffle=True),
    collate_fn=dict(type='default_collate'),
    drop_last=True,
    dataset=dict(
        type='SeriesPairs',
        data_root=data_root,
        use_time=use_time,
        min_dates=min_dates,
        max_dates=max_dates,
        pipeline=train_pipeline,
    ),
)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=lr, momentum=0.9))
param_scheduler = dict(type='StepLR', step_size=7, gamma=0.1)
train_cfg = dict(by_epoch=True, max_epochs=epochs)
