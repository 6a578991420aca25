"""EuroSAT, RGB chips of 64 pixels: 75 % train, 25 % validation, stratified by class."""

data_root = 'data/eurosat'
train_split = 'train'
val_split = 'val'
test_split = 'val'
packed = None  # folder made by tools/dataset_converters/pack_dataset.py: reads that instead
batch_size = 64
num_workers = 2

dataset_type = 'EuroSAT'
bands = 'rgb'

data_preprocessor = dict(type='MultiSpectralPreprocessor', bands='eurosat-rgb', stats='eurosat-rgb')

train_pipeline = [
    dict(type='LoadRaster'),
    dict(type='RandomDihedral'),
    dict(type='PackRaster'),
]
test_pipeline = [dict(type='LoadRaster'), dict(type='PackRaster')]

train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='EpochSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    drop_last=True,
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        packed=packed,
        bands=bands,
        split=train_split,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        packed=packed,
        bands=bands,
        split=val_split,
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        packed=packed,
        bands=bands,
        split=test_split,
        pipeline=test_pipeline,
        test_mode=True,
    ),
)

val_evaluator = dict(type='mmpretrain.Accuracy', topk=(1,))
test_evaluator = val_evaluator
