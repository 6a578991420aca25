# The change detector to use when there are few labelled pairs: a small network from random weights,
# colour that any source has, each date of a scene stretched by itself, crops that seek change,
# photometry drawn per date, averaged weights. Tested on every labelled city that it was not trained
# on: python tools/test.py CONFIG CKPT --cfg-options data_root=DIR
_base_ = './fc-siam-diff_100e_oscd-rgb.py'
data_root = 'data/oscd'
epochs = 60
lr = 1e-3
crop = 64
dropout = 0.1
val_cities = ('nantes', 'rennes')
train_cities = (
    'aguasclaras', 'bercy', 'bordeaux', 'paris', 'abudhabi', 'beihai', 'cupertino', 'hongkong',
    'beirut',
)  # fmt: skip
load = dict(type='LoadPair', scale=dict(type='ScaleQuantile', out='uint8'))
colour = dict(type='RandomColorJitter', brightness=0.2, contrast=0.2, saturation=0.2, hue=0.02)
train_pipeline = [
    load,
    dict(type='RandomCropMap', size=crop, focus=0.5),
    dict(type='RandomDihedral'),
    dict(type='SwapDates'),
    dict(type='PerDate', transforms=[colour]),
    dict(type='PackMap'),
]

model = dict(
    backbone=dict(dropout=dropout),
    decode_head=dict(dropout=dropout),
    # With 1 the best threshold on cities left out was 0.4, with 2 it was 0.7.
    loss=dict(pos_weight=1.5),
)
train_dataloader = dict(
    batch_size=16,
    dataset=dict(
        exclude=(), include=train_cities, tile=192, stride=96, border='shift',
        pipeline=train_pipeline,
    ),
)  # fmt: skip
val_dataloader = dict(dataset=dict(include=val_cities))
test_dataloader = dict(dataset=dict(split='all', exclude=train_cities))
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=lr, weight_decay=0.01), clip_grad=dict(max_norm=5.0)
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, end=5, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        begin=5,
        T_max=epochs - 5,
        eta_min=1e-6,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=epochs, val_interval=20)
custom_hooks = [dict(type='EMAHook', momentum=0.01, update_buffers=True)]
