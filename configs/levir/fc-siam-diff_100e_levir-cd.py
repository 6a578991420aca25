# Pairs in folders A, B and label: LEVIR-CD, DSIFN or one's own; split folders train, val, test.
_base_ = '../oscd/fc-siam-diff_100e_oscd-rgb.py'
data_root = 'data/levir-cd'
batch_size = 8
tile = 256
load = dict(type='LoadPair', cache=1)
colour = dict(type='RandomColorJitter', brightness=0.2, contrast=0.2, saturation=0.2, hue=0.0)
train_pipeline = [
    load,
    dict(type='RandomCropMap', size=tile, focus=0.5),
    dict(type='RandomDihedral'),
    dict(type='SwapDates'),
    dict(type='PerDate', transforms=[colour]),
    dict(type='PackMap'),
]
test_pipeline = [load, dict(type='PackMap')]
pairs = dict(_delete_=True, type='ChangeFolder', data_root=data_root)

data_preprocessor = dict(_delete_=True, type='MultiSpectralPreprocessor', bands='rgb',
                         stats='imagenet')  # fmt: skip
train_dataloader = dict(
    batch_size=batch_size, dataset=dict(**pairs, split='train', pipeline=train_pipeline)
)
val_dataloader = dict(dataset=dict(**pairs, split='val', pipeline=test_pipeline, test_mode=True))
test_dataloader = dict(dataset=dict(**pairs, split='test', pipeline=test_pipeline, test_mode=True))
