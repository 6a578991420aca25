# Faster R-CNN on ResNet-18 for the toy scenes of DOTA's classes; anchors from 16 px.
_base_ = [
    '../_base_/models/faster_rcnn_fpn.py',
    '../_base_/datasets/boxes.py',
    '../_base_/schedules/detection_sgd.py',
    '../_base_/default_runtime.py',
]

data_root = 'data/toy/aerial'
batch_size = 4
num_classes = 16
scale = (256, 256)
train_pipeline, test_pipeline = (
    [dict(step, scale=scale) if step['type'] == 'mmdet.Resize' else step for step in steps]
    for steps in (_base_.train_pipeline, _base_.test_pipeline)
)

model = dict(
    backbone=dict(
        type='mmdet.ResNet',
        depth=18,
        out_indices=(0, 1, 2, 3),
        norm_cfg=dict(type='BN', requires_grad=True),
    ),
    neck=dict(type='mmdet.FPN', in_channels=[64, 128, 256, 512], out_channels=256, num_outs=5),
    rpn_head=dict(anchor_generator=dict(scales=[4])),
    roi_head=dict(bbox_head=dict(num_classes=num_classes)),
)
train_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=0.01))
default_hooks = dict(checkpoint=dict(save_best='coco/bbox_mAP', rule='greater'))
