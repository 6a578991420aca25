# ResNet-18 for one's own folders of classes: set num_classes.
_base_ = [
    '../_base_/models/resnet18_classifier.py',
    '../_base_/datasets/own_classes.py',
    '../_base_/schedules/sgd_cosine.py',
    '../_base_/default_runtime.py',
]
num_classes = 4
epochs = 20
lr = 0.02
data = dict(num_classes=num_classes)

model = dict(head=dict(num_classes=num_classes))
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
optim_wrapper = dict(optimizer=dict(lr=lr))
warmup = epochs // 4
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, end=warmup, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=warmup, convert_to_iter_based=True),
][0 if warmup else 1 :]
train_cfg = dict(max_epochs=epochs)
default_hooks = dict(checkpoint=dict(save_best='accuracy/top1', rule='greater'))
