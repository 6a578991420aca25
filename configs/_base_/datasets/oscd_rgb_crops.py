"""OSCD for few labelled pairs: crops that seek change, photometry drawn per date, nine cities."""

_base_ = './oscd_rgb.py'
data_root = 'data/oscd'
batch_size = 16
crop = 64
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

train_dataloader = dict(
    batch_size=batch_size,
    dataset=dict(
        data_root=data_root,
        exclude=(),
        include=train_cities,
        tile=192,
        stride=96,
        border='shift',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(dataset=dict(data_root=data_root, include=val_cities))
# Every labelled city that was not trained on, whatever it is called.
test_dataloader = dict(dataset=dict(data_root=data_root, split='all', exclude=train_cities))
