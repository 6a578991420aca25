"""EuroSAT, all 13 bands (L1C digital numbers, 0 is nodata); otherwise as the RGB chips."""

_base_ = './eurosat_rgb.py'
bands = 'ms'  # or a list of names; then give the data_preprocessor the same list

data_preprocessor = dict(bands='eurosat', stats='eurosat')
train_pipeline = [
    dict(type='LoadRaster', nodata=0),
    dict(type='RandomDihedral'),
    dict(type='PackRaster'),
]
test_pipeline = [dict(type='LoadRaster', nodata=0), dict(type='PackRaster')]

train_dataloader = dict(dataset=dict(bands=bands, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(bands=bands, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(bands=bands, pipeline=test_pipeline))
