# SeCo's change detector on a frozen encoder: --cfg-options pretrained=CHECKPOINT, or random.
_base_ = [
    '../_base_/models/change_resnet18.py',
    '../_base_/datasets/oscd_rgb.py',
    '../_base_/schedules/adam_dense.py',
    '../_base_/default_runtime.py',
]
default_hooks = dict(checkpoint=dict(interval=10, save_best='change/f1', rule='greater'))
