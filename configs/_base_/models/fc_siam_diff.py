"""FC-Siam-diff, 1,350,001 parameters at three bands; trained from random weights."""

model = dict(
    type='ChangeDetector',
    fusion='abs_diff',
    deepest='second',
    multiple=16,
    backbone=dict(type='FCEncoder', in_channels='auto'),
    decode_head=dict(type='FCDecoder', in_channels='auto'),
    # Change is a few per cent of the ground.
    loss=dict(type='ChangeLoss', terms=dict(bce=1.0, dice=1.0), pos_weight=5.0),
)
