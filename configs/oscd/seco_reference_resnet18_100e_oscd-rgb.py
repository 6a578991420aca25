# The protocol of SeCo's release: native bands stretched by fixed values, 96-pixel tiles, training
# and validation on the published split, scores averaged per batch beside the global ones.
_base_ = './seco_resnet18_100e_oscd-rgb.py'
data_root = 'data/oscd'
sources = ('native',)
tile = 96
limits = ((426, 667, 885), (3698, 2969, 2620))  # B04, B03, B02
load = dict(
    type='LoadPair', threshold=0, scale=dict(type='ScaleMinMax', limits=limits, out='uint8')
)
pad = dict(type='PadMap', size=tile)
pack = dict(type='PackMap')
test_data = dict(
    type='OSCD',
    data_root=data_root,
    split='test',
    sources=sources,
    tile=tile,
    pipeline=[load, pad, pack],
    test_mode=True,
)

data_preprocessor = dict(
    _delete_=True, type='MultiSpectralPreprocessor', bands='s2-rgb', scale=255.0
)
train_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        stride=tile,
        exclude=(),
        sources=sources,
        pipeline=[load, pad, dict(type='RandomDihedral'), pack],
    )
)
val_dataloader = dict(batch_size=32, dataset=dict(_delete_=True, **test_data))
test_dataloader = dict(batch_size=32, dataset=dict(_delete_=True, **test_data))
val_evaluator = dict(per_batch=True)
test_evaluator = dict(per_batch=True)
