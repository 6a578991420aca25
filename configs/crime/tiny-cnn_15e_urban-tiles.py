# The study's classifier on raw tiles: 59,296 weights, SGD 1e-4, best of 15 epochs by validation.
_base_ = ['../_base_/default_runtime.py']

data_root = 'data/toy/urban-tiles'
batch_size = 64
num_workers = 2
epochs = 15
lr = 1e-4

model = dict(
    type='mmpretrain.ImageClassifier',
    data_preprocessor=dict(
        type='MultiSpectralPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
    ),
    backbone=dict(type='TinyCNN'),
    head=dict(
        type='mmpretrain.LinearClsHead',
        num_classes=2,
        in_channels=10,
        loss=dict(type='mmpretrain.CrossEntropyLoss'),
        topk=(1,),
    ),
)
train_pipeline = [
    dict(type='LoadRaster'),
    dict(type='RandomResizedCrop', size=224),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackRaster'),
]
test_pipeline = [
    dict(type='LoadRaster'),
    dict(type='mmpretrain.CenterCrop', crop_size=224),
    dict(type='PackRaster'),
]
loader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    collate_fn=dict(type='default_collate'),
)
dataset = dict(type='CrimeTiles', data_root=data_root)
train_dataloader = dict(
    sampler=dict(type='EpochSampler', shuffle=True),
    dataset=dict(split='train', pipeline=train_pipeline, **dataset),
    **loader,
)
val_dataloader = dict(
    sampler=dict(type='EpochSampler', shuffle=False),
    dataset=dict(split='val', pipeline=test_pipeline, test_mode=True, **dataset),
    **loader,
)
test_dataloader = dict(
    sampler=dict(type='EpochSampler', shuffle=False),
    dataset=dict(split='test', pipeline=test_pipeline, test_mode=True, **dataset),
    **loader,
)
val_evaluator = [
    dict(type='mmpretrain.Accuracy', topk=(1,)),
    dict(type='mmpretrain.SingleLabelMetric', items=('f1-score',)),
]
test_evaluator = val_evaluator
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=lr, momentum=0.9))
param_scheduler = [dict(type='StepLR', step_size=7, gamma=0.1)]
train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=1)
val_cfg = dict()
test_cfg = dict()
default_hooks = dict(checkpoint=dict(save_best='accuracy/top1', rule='greater'))
