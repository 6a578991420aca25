# The study's second detector: ViT-B of masked autoencoding, frozen, a simple pyramid, Faster R-CNN;
# images of 512 px. Weights: --cfg-options pretrained=mae.pth; frozen_stages=-1 trains them too.
_base_ = [
    '../_base_/models/faster_rcnn_fpn.py',
    '../_base_/datasets/boxes.py',
    '../_base_/schedules/detr_adamw.py',
    '../_base_/default_runtime.py',
]
data_root = 'data/dota'
batch_size = 2
dataset = dict(type='DOTA', data_root=data_root, tile=1024, stride=824)
num_classes = 16
img_size = 512
pretrained = None
prefix = 'backbone.'
frozen_stages = 12
epochs = 12
drop = 9
lr = 1e-4

backbone = dict(
    type='mmpretrain.VisionTransformer',
    arch='b',
    img_size=img_size,
    patch_size=16,
    drop_path_rate=0.0,  # it would drop frozen layers too; 0.1 where they are trained
    out_type='featmap',
    frozen_stages=frozen_stages,
)
if pretrained:
    backbone['init_cfg'] = dict(type='Pretrained', checkpoint=pretrained, prefix=prefix)
model = dict(
    backbone=backbone,
    neck=dict(type='SimplePyramid', in_channels=768, out_channels=256, num_outs=5),
    rpn_head=dict(anchor_generator=dict(scales=[8])),
    roi_head=dict(
        bbox_roi_extractor=dict(
            roi_layer=dict(output_size=8, sampling_ratio=2), featmap_strides=[4, 8, 16, 32]
        ),
        bbox_head=dict(roi_feat_size=8, num_classes=num_classes),
    ),
)
train_pipeline, test_pipeline = (
    [
        dict(step, scale=(img_size, img_size)) if step['type'] == 'mmdet.Resize' else step
        for step in steps
    ]
    for steps in (_base_.train_pipeline, _base_.test_pipeline)
)
train_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **dataset))
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.067, by_epoch=False, begin=0, end=1000),
    dict(type='MultiStepLR', begin=0, by_epoch=True, milestones=[drop], gamma=0.1),
]
train_cfg = dict(max_epochs=epochs)
default_hooks = dict(checkpoint=dict(save_best='coco/bbox_mAP', rule='greater'))
