# FC-Siam-diff on all 13 bands in digital numbers; needs cities with bands, not previews alone.
_base_ = './fc-siam-diff_100e_oscd-rgb.py'
data_root = 'data/oscd'
tile = 96
load = dict(type='LoadPair', cache=8)
train_pipeline = [
    load,
    dict(type='PadMap', size=tile),
    dict(type='RandomDihedral'),
    dict(type='SwapDates'),
    dict(type='PackMap'),
]
test_pipeline = [load, dict(type='PackMap')]

data_preprocessor = dict(
    _delete_=True, type='MultiSpectralPreprocessor', bands='oscd', stats='oscd'
)
train_dataloader = dict(dataset=dict(bands='ms', pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(bands='ms', pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(bands='ms', pipeline=test_pipeline))
