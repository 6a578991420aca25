# The same with boundary and contact channels, so that houses a few pixels apart come out singly.
_base_ = './vegas_xdxd-vgg16-small_30e_spacenet2.py'
data_root = 'data/spacenet2_vegas'
held_out = 'AOI_2_Vegas_img225'

load = [
    dict(type='LoadRaster'),
    dict(type='LoadFootprints'),
    dict(
        type='RasterizeFootprints',
        channels=('footprint', 'boundary', 'contact'),
        boundary_width_px=5,
        boundary_kind='outer',
        contact_spacing=12.0,
        contact_unit='px',
    ),
]
train_pipeline = [
    *load,
    dict(type='RandomFlipRot90', flip_prob=0.5, rot_prob=0.5),
    dict(type='CropFootprints', size=256),
    dict(type='PackFootprints'),
]
test_pipeline = [*load, dict(type='PackFootprints', footprints=True)]
tiles = dict(data_root=data_root)
train_dataloader = dict(
    dataset=dict(dataset=dict(exclude=[held_out], pipeline=train_pipeline, **tiles))
)
val_dataloader = dict(dataset=dict(include=[held_out], pipeline=test_pipeline, **tiles))
test_dataloader = val_dataloader

model = dict(
    decode_head=dict(num_classes=3),
    loss=dict(channel_weights=(1.0, 0.5, 0.5)),
)
val_evaluator = dict(watershed=(0.7, 0.4))
test_evaluator = val_evaluator
