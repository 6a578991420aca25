# Faster R-CNN on NWPU VHR-10; start from weights with --cfg-options pretrained=FILE.
_base_ = [
    '../_base_/models/faster_rcnn_fpn.py',
    '../_base_/datasets/boxes.py',
    '../_base_/schedules/detection_sgd.py',
    '../_base_/default_runtime.py',
]
data_root = 'data/nwpu_vhr10'
batch_size = 4
ann_file = None
num_classes = 10
pretrained = None
prefix = 'backbone.'

backbone = dict(
    type='mmdet.ResNet',
    depth=50,
    num_stages=4,
    out_indices=(0, 1, 2, 3),
    frozen_stages=1,
    norm_cfg=dict(type='BN', requires_grad=True),
    norm_eval=True,
    style='pytorch',
)
if pretrained:
    backbone['init_cfg'] = dict(type='Pretrained', checkpoint=pretrained, prefix=prefix)
model = dict(
    backbone=backbone,
    neck=dict(type='mmdet.FPN', in_channels=[256, 512, 1024, 2048], out_channels=256, num_outs=5),
    roi_head=dict(bbox_head=dict(num_classes=num_classes)),
)
dataset = dict(type='NWPUVHR10', data_root=data_root, ann_file=ann_file)
train_dataloader = dict(batch_size=batch_size, dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = val_dataloader
default_hooks = dict(checkpoint=dict(save_best='coco/bbox_mAP', rule='greater'))
