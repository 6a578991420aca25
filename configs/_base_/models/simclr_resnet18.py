# SimCLR: ResNet-18 and a two-layer projector.

model = dict(
    type='SimCLR',
    backbone=dict(type='mmpretrain.ResNet', depth=18, in_channels='auto'),
    neck=dict(
        type='mmpretrain.NonLinearNeck',
        in_channels='auto',
        hid_channels=512,
        out_channels=128,
        num_layers=2,
        with_avg_pool=True,
        norm_cfg=dict(type='BN1d'),
    ),
    temperature=0.2,
)
