"""Pairs of dates for PairContrast: SGD, tenth of the rate every seven epochs, batch 256."""

data_root = 'data/ripples/events'
batch_size = 256
num_workers = 4
epochs = 20
lr = 1e-3
bands = None  # names of the bands; None takes all that the files have

data_preprocessor = dict(type='MultiSpectralPreprocessor', bands='rgb', stats='imagenet')
train_pipeline = [
    dict(type='LoadEventPair', bands=bands),
    dict(type='EventViews'),
    dict(type='PackRaster', meta_keys=('sample_idx', 'img_path', 'bands', 'event_weights')),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='EpochSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    drop_last=True,
    dataset=dict(type='ChangeEventPairs', data_root=data_root, pipeline=train_pipeline),
)
# How tools/analysis_tools/extract_features.py reads images: the shorter side to 112, the centre.
test_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadRaster'),
            dict(type='mmpretrain.ResizeEdge', scale=112),
            dict(type='mmpretrain.CenterCrop', crop_size=112),
            dict(type='PackRaster'),
        ]
    )
)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=lr, momentum=0.9))
param_scheduler = dict(type='StepLR', step_size=7, gamma=0.1)
train_cfg = dict(by_epoch=True, max_epochs=epochs)
