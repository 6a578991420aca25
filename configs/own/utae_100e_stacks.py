# U-TAE for one's own series: set num_classes.
_base_ = [
    '../_base_/datasets/own_stacks.py',
    '../_base_/schedules/adam_dense.py',
    '../_base_/default_runtime.py',
]
num_classes = 4
data = dict(num_classes=num_classes)

model = dict(
    type='RasterSegmentor',
    multiple=16,
    backbone=dict(type='UTAE', in_channels='auto'),
    decode_head=dict(type='OutputHead', in_channels=32, num_classes=num_classes),
    loss=dict(type='SegLoss'),
)
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
optim_wrapper = dict(optimizer=dict(weight_decay=0.0))
param_scheduler = dict(gamma=1.0)
default_hooks = dict(checkpoint=dict(save_best='seg/miou', rule='greater'))
