# NWPU VHR-10 as far as two cores go: the narrow detector of the toy scenes, images of 480 px.
_base_ = ['./faster-rcnn_r18-narrow_12e_toy.py']

data_root = 'data/nwpu_vhr10'
batch_size = 2
ann_file = None
num_classes = 10
epochs = 30
lr = 0.01
milestones = [24, 28]
scale = (480, 480)
pretrained = None  # a checkpoint of the toy run
backbone = dict()
if pretrained:
    backbone['init_cfg'] = dict(type='Pretrained', checkpoint=pretrained, prefix='backbone.')
train_pipeline, test_pipeline = (
    [dict(step, scale=scale) if step['type'] == 'mmdet.Resize' else step for step in steps]
    for steps in (_base_.train_pipeline, _base_.test_pipeline)
)
# Eighty images, and no side of them is up: flips along both axes.
flips = dict(type='mmdet.RandomFlip', prob=0.75, direction=['horizontal', 'vertical', 'diagonal'])
train_pipeline = [flips if step['type'] == 'mmdet.RandomFlip' else step for step in train_pipeline]

model = dict(backbone=backbone, roi_head=dict(bbox_head=dict(num_classes=num_classes)))
dataset = dict(type='NWPUVHR10', data_root=data_root, ann_file=ann_file)
train_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **dataset))
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='MultiStepLR', begin=0, by_epoch=True, milestones=milestones, gamma=0.1),
]
train_cfg = dict(max_epochs=epochs, val_interval=5)
