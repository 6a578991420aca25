# FC-Siam-diff from random weights.
_base_ = [
    '../_base_/models/fc_siam_diff.py',
    '../_base_/datasets/oscd_rgb.py',
    '../_base_/schedules/adam_dense.py',
    '../_base_/default_runtime.py',
]
default_hooks = dict(checkpoint=dict(interval=10, save_best='change/f1', rule='greater'))
