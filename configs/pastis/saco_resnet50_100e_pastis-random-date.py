# SACo's decoder for PASTIS (112.8 million parameters) on a frozen ResNet-50, one date at a time.
# The ten-band stem must come from the checkpoint or be trained: a frozen random one ruins it.
_base_ = './unet_resnet18_100e_pastis-single-date.py'
class_weight = (
    0.125294, 0.27343694, 0.72902076, 0.57747272, 2.45791823, 2.82579279, 7.82555312, 5.03882837,
    1.79754599, 6.13596121, 6.77826047, 4.74822184, 5.33941701, 17.85944086, 3.13599104, 4.74483074,
    4.8367152, 9.62694037, 11.93724231, 0.51906974,
)  # fmt: skip
train_pipeline = [
    dict(type='LoadSeries', dates='random'),
    dict(type='NormalizeSeries'),
    dict(type='LoadSeriesLabel'),
    dict(type='RandomDihedral'),
    dict(type='PackMap'),
]

model = dict(
    backbone=dict(_delete_=True, type='mmpretrain.ResNet', depth=50, in_channels='auto',
                  out_indices=(0, 1, 2, 3)),
    decode_head=dict(_delete_=True, type='SACoDecoder', in_channels='auto', num_classes=20,
                     dense=True),
    loss=dict(class_weight=class_weight),
)  # fmt: skip
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(optimizer=dict(lr=1e-4))
