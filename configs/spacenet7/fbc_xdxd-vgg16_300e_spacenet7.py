# Three channels (footprint, boundary, contact) with dice and focal loss, the SpaceNet 4 lesson.
_base_ = './baseline_fixed_xdxd-vgg16_300e_spacenet7.py'

target = dict(
    type='RasterizeFootprints',
    channels=('footprint', 'boundary', 'contact'),
    boundary_width_px=3,
    boundary_kind='outer',
    contact_spacing=10.0,
    contact_unit='m',
    ignore_nodata=True,
)
load = [dict(type='LoadMosaic'), dict(type='LoadFootprints'), target]
train_pipeline = [
    *load,
    dict(type='RandomFlipRot90', flip_prob=0.5, rot_prob=0.5),
    dict(type='CropFootprints', size=512),
    dict(type='PackFootprints'),
]
val_pipeline = [
    *load,
    dict(type='CropFootprints', size=512, centre=True),
    dict(type='PackFootprints'),
]
test_pipeline = [*load, dict(type='PackFootprints', footprints=True)]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

model = dict(
    decode_head=dict(num_classes=3),
    loss=dict(
        _delete_=True,
        type='FootprintLoss',
        terms=dict(dice=1.0, focal=1.0),
        channel_weights=(1.0, 0.1, 0.5),
    ),
)
