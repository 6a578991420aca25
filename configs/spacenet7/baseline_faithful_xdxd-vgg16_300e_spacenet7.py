# The SpaceNet 7 baseline as it ran: random weights, raw 0..255 input, a constant learning rate
# (its scheduler was never applied), validation on a tenth of the frames. Test its last weights.
_base_ = './baseline_fixed_xdxd-vgg16_300e_spacenet7.py'
leaky_frames = True
crop = 512

data_preprocessor = dict(type='MultiSpectralPreprocessor', bands='rgb', stats=None)
unmasked = [
    dict(type='LoadMosaic'),
    dict(type='LoadFootprints'),
    dict(type='RasterizeFootprints', channels=('footprint',), ignore_nodata=False),
]
train_pipeline = [
    *unmasked,
    dict(type='RandomFlipRot90', flip_prob=0.5, rot_prob=0.5),
    dict(type='CropFootprints', size=crop),
    dict(type='PackFootprints'),
]
val_pipeline = [
    *unmasked,
    dict(type='CropFootprints', size=crop, centre=True),
    dict(type='PackFootprints'),
]
train_dataloader = dict(dataset=dict(leaky_frames=leaky_frames, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(leaky_frames=leaky_frames, pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(leaky_frames=leaky_frames))
param_scheduler = None
