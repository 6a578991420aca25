# DOTA in tiles of 1024 px: 900 queries and 300 detections a tile, for dense rows of vehicles.
# Start from SwAV: --cfg-options pretrained=swav.pth; from DETReg: load_from=converted.pth.
_base_ = [
    '../_base_/models/deformable_detr_r50.py',
    '../_base_/datasets/boxes.py',
    '../_base_/schedules/detr_adamw.py',
    '../_base_/default_runtime.py',
]
data_root = 'data/dota'
batch_size = 4
dataset_type = 'DOTA'
dataset_options = dict(tile=1024, stride=824)
num_queries = 900
max_per_img = 300
lr = 1e-4  # for a batch of 4

model = dict(num_queries=num_queries, test_cfg=dict(max_per_img=max_per_img))
train_dataloader = dict(
    batch_size=batch_size, dataset=dict(type=dataset_type, data_root=data_root, **dataset_options)
)
val_dataloader = dict(dataset=dict(type=dataset_type, data_root=data_root, **dataset_options))
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=lr))
metric = dict(proposal_nums=(100, 300, 1000))
val_evaluator = metric
test_evaluator = metric
default_hooks = dict(checkpoint=dict(save_best='coco/bbox_mAP', rule='greater'))
