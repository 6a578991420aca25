# The change detector to use when there are few labelled pairs: two networks of different make with
# different errors. Colour that any source has, each date stretched by itself, change-seeking crops,
# photometry drawn per date, averaged weights. Tested on every labelled city that it was not trained
# on: python tools/test.py CONFIG CKPT --cfg-options data_root=DIR
# The ResNet's weights are random, or --cfg-options pretrained=CHECKPOINT.
_base_ = [
    '../_base_/datasets/oscd_rgb_crops.py',
    '../_base_/schedules/adamw_averaged.py',
    '../_base_/default_runtime.py',
]
pretrained = None
dropout = 0.1

loss = dict(type='ChangeLoss', terms=dict(bce=1.0, dice=1.0), pos_weight=1.5)
fc_siam_diff = dict(
    type='ChangeDetector',
    deepest='second',
    multiple=16,
    backbone=dict(type='FCEncoder', dropout=dropout),
    decode_head=dict(type='FCDecoder', in_channels='auto', dropout=dropout),
    loss=loss,
)
weights = dict(type='Pretrained', checkpoint=pretrained, prefix='backbone.')
seco = dict(
    type='ChangeDetector',
    frozen=True,
    backbone=dict(type='ResNetPyramid', depth=18, init_cfg=weights if pretrained else None),
    decode_head=dict(type='UNetDecoder', in_channels='auto'),
    loss=loss,
)

model = dict(type='ChangeEnsemble', members=[fc_siam_diff, seco])
default_hooks = dict(checkpoint=dict(interval=10))
