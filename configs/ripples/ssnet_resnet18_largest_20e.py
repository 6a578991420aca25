# All four stages and max pooling: stride 4, the widest view.
_base_ = './ssnet_resnet18_finer_20e.py'

model = dict(
    backbone=dict(
        type='mmpretrain.ResNet',
        num_stages=4,
        strides=(1, 2, 2, 2),
        dilations=(1, 1, 1, 1),
        out_indices=(0, 1, 2, 3),
    ),
    keep=1.0,
)
