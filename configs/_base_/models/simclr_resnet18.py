# SimCLR: ResNet-18 and a two-layer projector.
in_channels = 3

model = dict(
    type='SimCLR',
    backbone=dict(type='mmpretrain.ResNet', depth=18, in_channels=in_channels),
    neck=dict(
        type='mmpretrain.NonLinearNeck',
        in_channels=512,
        hid_channels=512,
        out_channels=128,
        num_layers=2,
        with_avg_pool=True,
        norm_cfg=dict(type='BN1d'),
    ),
    temperature=0.2,
)
