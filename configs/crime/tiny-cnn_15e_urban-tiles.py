# The study's classifier on raw tiles: 59,296 weights, SGD 1e-4, best of 15 epochs by validation.
_base_ = ['../_base_/datasets/crime_tiles.py', '../_base_/default_runtime.py']

epochs = 15
lr = 1e-4

model = dict(
    type='mmpretrain.ImageClassifier',
    backbone=dict(type='TinyCNN'),
    head=dict(
        type='mmpretrain.LinearClsHead',
        num_classes=2,
        in_channels=10,
        loss=dict(type='mmpretrain.CrossEntropyLoss'),
        topk=(1,),
    ),
)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=lr, momentum=0.9))
param_scheduler = [dict(type='StepLR', step_size=7, gamma=0.1)]
train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=1)
val_cfg = dict()
test_cfg = dict()
default_hooks = dict(checkpoint=dict(save_best='accuracy/top1', rule='greater'))
