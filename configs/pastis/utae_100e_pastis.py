# U-TAE, 1,087,220 parameters: all dates of the season, the temporal attention finds what matters.
_base_ = [
    '../_base_/datasets/pastis.py',
    '../_base_/schedules/adam_dense.py',
    '../_base_/default_runtime.py',
]
gamma = 1.0

model = dict(
    type='RasterSegmentor',
    multiple=16,  # two pixels at the deepest level, so that series of single pixels will do
    backbone=dict(type='UTAE', in_channels='auto'),
    decode_head=dict(type='OutputHead', in_channels=32, num_classes=20),
    loss=dict(type='SegLoss'),
)
optim_wrapper = dict(optimizer=dict(weight_decay=0.0))
param_scheduler = dict(gamma=gamma)
default_hooks = dict(checkpoint=dict(save_best='seg/miou', rule='greater'))
