# SeCo's linear probe on BigEarthNet: dropout and one layer on frozen features.
# --cfg-options pretrained=CHECKPOINT gives the weights; without it they are random.
_base_ = [
    '../_base_/datasets/bigearthnet.py',
    '../_base_/schedules/adam_probe.py',
    '../_base_/default_runtime.py',
]
pretrained = None
epochs = 100

backbone = dict(type='mmpretrain.ResNet', depth=18, frozen_stages=4, norm_eval=True)
if pretrained:
    backbone['init_cfg'] = dict(type='Pretrained', checkpoint=pretrained, prefix='backbone.')
model = dict(
    type='mmpretrain.ImageClassifier',
    backbone=backbone,
    neck=dict(type='PooledDropout', p=0.2),
    head=dict(
        type='mmpretrain.MultiLabelLinearClsHead',
        num_classes=19,
        in_channels='auto',
        loss=dict(type='mmpretrain.CrossEntropyLoss', use_sigmoid=True),
    ),
)
param_scheduler = dict(milestones=[epochs * 3 // 5, epochs * 4 // 5])
train_cfg = dict(max_epochs=epochs, val_interval=max(1, epochs // 10))
