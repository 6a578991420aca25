# NWPU VHR-10, whole images, split 80/20 by name.
_base_ = [
    '../_base_/models/deformable_detr_r50.py',
    '../_base_/datasets/boxes.py',
    '../_base_/schedules/detr_adamw.py',
    '../_base_/default_runtime.py',
]
data_root = 'data/nwpu_vhr10'
ann_file = None  # a COCO file instead of the published text files
num_classes = 10
lr = 5e-5  # for a batch of 2

dataset = dict(type='NWPUVHR10', data_root=data_root, ann_file=ann_file)
model = dict(bbox_head=dict(num_classes=num_classes))
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=lr))
default_hooks = dict(checkpoint=dict(save_best='coco/bbox_mAP', rule='greater'))
