# The change detector to use when there are few labelled pairs: two networks of different make with
# different errors, one of them on the frozen encoder of the zoo's classifier of Sentinel-2 chips.
# Registered colour, each date stretched by itself, change-seeking crops, photometry drawn per date,
# fields in any season, averaged weights, mirrored views. Tested on every labelled city that it was
# not trained on: python tools/test.py CONFIG CKPT --cfg-options data_root=DIR
_base_ = [
    '../_base_/datasets/oscd_rgb_crops.py',
    '../_base_/models/change_fc_chips.py',
    '../_base_/schedules/adamw_averaged.py',
    '../_base_/default_runtime.py',
]
# The previews of the two dates are registered, their native bands lie up to half a pixel apart.
sources = ('rect', 'pair', 'native')
train_cities = (
    'aguasclaras', 'bercy', 'bordeaux', 'nantes', 'paris', 'rennes', 'abudhabi', 'beihai',
    'cupertino', 'hongkong', 'beirut',
)  # fmt: skip
fields = 0.4
crop = 64

colour = dict(type='RandomColorJitter', brightness=0.2, contrast=0.2, saturation=0.2, hue=0.02)
train_pipeline = [
    dict(type='LoadPair', scale=dict(type='ScaleQuantile', out='uint8')),
    dict(type='RandomCropMap', size=crop, focus=0.5),
    dict(type='RandomFields', prob=fields),
    dict(type='RandomDihedral'),
    dict(type='SwapDates'),
    dict(type='PerDate', transforms=[colour]),
    dict(type='PackMap'),
]
train_dataloader = dict(
    dataset=dict(sources=sources, include=train_cities, pipeline=train_pipeline)
)
val_dataloader = dict(dataset=dict(sources=sources))
test_dataloader = dict(dataset=dict(sources=sources, exclude=train_cities))
# Brings stretched scenes into the range of the chips that the encoder was trained on; the other
# network normalises by itself.
data_preprocessor = dict(
    _delete_=True,
    type='MultiSpectralPreprocessor',
    bands='s2-rgb',
    mean=[139.6, 146.4, 143.1],
    std=[158.7, 240.5, 283.4],
)
default_hooks = dict(checkpoint=dict(interval=10, save_best='change/f1', rule='greater'))
