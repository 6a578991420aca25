# U-Net on a ResNet-18 for one's own maps: set num_classes, and what differs of own_maps.py.
_base_ = [
    '../_base_/models/unet_resnet18.py',
    '../_base_/datasets/own_maps.py',
    '../_base_/schedules/adam_dense.py',
    '../_base_/default_runtime.py',
]
num_classes = 4
epochs = 50
data = dict(num_classes=num_classes)

model = dict(decode_head=dict(num_classes=num_classes))
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
train_cfg = dict(max_epochs=epochs)
default_hooks = dict(checkpoint=dict(save_best='seg/miou', rule='greater'))
