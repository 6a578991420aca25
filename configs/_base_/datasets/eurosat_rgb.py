"""EuroSAT, RGB chips of 64 pixels: 75 % train, 25 % validation, stratified by class."""

data_root = 'data/eurosat'
train_split = 'train'
val_split = 'val'
test_split = 'val'
packed = None  # folder made by tools/dataset_converters/pack_dataset.py: reads that instead
batch_size = 128
num_workers = 2
bands = 'rgb'

data_preprocessor = dict(type='MultiSpectralPreprocessor', bands='eurosat-rgb', stats='eurosat-rgb')

train_pipeline = [
    dict(type='LoadRaster'),
    dict(type='RandomDihedral'),
    dict(type='PackRaster'),
]
test_pipeline = [dict(type='LoadRaster'), dict(type='PackRaster')]

loader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    collate_fn=dict(type='default_collate'),
)
chips = dict(type='EuroSAT', data_root=data_root, packed=packed, bands=bands)
unseen = dict(**chips, pipeline=test_pipeline, test_mode=True)

train_dataloader = dict(
    **loader,
    sampler=dict(type='EpochSampler', shuffle=True),
    drop_last=True,
    dataset=dict(**chips, split=train_split, pipeline=train_pipeline),
)
val_dataloader = dict(
    **loader,
    sampler=dict(type='EpochSampler', shuffle=False),
    dataset=dict(**unseen, split=val_split),
)
test_dataloader = dict(
    **loader,
    sampler=dict(type='EpochSampler', shuffle=False),
    dataset=dict(**unseen, split=test_split),
)

val_evaluator = dict(type='mmpretrain.Accuracy', topk=(1,))
test_evaluator = val_evaluator
