# FC-Siam-diff for one's own pairs.
_base_ = [
    '../_base_/models/fc_siam_diff.py',
    '../_base_/datasets/own_pairs.py',
    '../_base_/schedules/adam_dense.py',
    '../_base_/default_runtime.py',
]
epochs = 50

train_cfg = dict(max_epochs=epochs)
default_hooks = dict(checkpoint=dict(save_best='change/f1', rule='greater'))
