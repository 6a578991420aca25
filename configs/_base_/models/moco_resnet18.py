# MoCo v2: ResNet-18, a two-layer projector, one queue of keys.
in_channels = 3

model = dict(
    type='MoCo',
    backbone=dict(type='mmpretrain.ResNet', depth=18, in_channels=in_channels),
    neck=dict(type='MoCoMLP', in_channels=512, out_channels=128),
    queue_len=4096,
    feat_dim=128,
    momentum=0.99,
    temperature=0.2,
)
