# U-Net on a ResNet-18, encoder tuned; --cfg-options pretrained=CHECKPOINT frozen=True to probe.
_base_ = [
    '../_base_/models/unet_resnet18.py',
    '../_base_/datasets/gid5.py',
    '../_base_/schedules/adam_dense.py',
    '../_base_/default_runtime.py',
]

optim_wrapper = dict(optimizer=dict(lr=1e-4))
default_hooks = dict(checkpoint=dict(interval=10, save_best='seg/miou', rule='greater'))
