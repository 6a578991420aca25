# MoCo v2: ResNet-18, a two-layer projector, one queue of keys.

model = dict(
    type='MoCo',
    backbone=dict(type='mmpretrain.ResNet', depth=18, in_channels='auto'),
    neck=dict(type='MoCoMLP', in_channels='auto', out_channels=128),
    queue_len=4096,
    feat_dim=128,
    momentum=0.99,
    temperature=0.2,
)
