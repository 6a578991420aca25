# A small Deformable DETR for two cores: ResNet-18, three encoder and decoder layers, 100 queries.
_base_ = [
    '../_base_/models/deformable_detr_r50.py',
    '../_base_/datasets/boxes.py',
    '../_base_/schedules/detr_adamw.py',
    '../_base_/default_runtime.py',
]
batch_size = 4
num_queries = 100
epochs = 30
drop = 25
lr = 4e-4
scale = (256, 256)
train_pipeline, test_pipeline = (
    [dict(step, scale=scale) if step['type'] == 'mmdet.Resize' else step for step in steps]
    for steps in (_base_.train_pipeline, _base_.test_pipeline)
)

model = dict(
    num_queries=num_queries,
    backbone=dict(depth=18, frozen_stages=-1, norm_cfg=dict(requires_grad=True), norm_eval=False),
    neck=dict(in_channels=[128, 256, 512]),
    encoder=dict(num_layers=3),
    decoder=dict(num_layers=3),
)
train_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
optim_wrapper = dict(
    optimizer=dict(lr=lr), paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0.5)})
)
param_scheduler = [dict(type='MultiStepLR', begin=0, by_epoch=True, milestones=[drop], gamma=0.1)]
train_cfg = dict(max_epochs=epochs, val_interval=5)
default_hooks = dict(checkpoint=dict(save_best='coco/bbox_mAP', rule='greater'))
