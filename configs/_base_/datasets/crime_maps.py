"""Feature maps of the crime tiles, as FeatureMapDumpHook writes them (configs/crime/maps_*.py)."""

_base_ = ['./crime_tiles.py']

batch_size = 128
num_workers = 2

data_preprocessor = dict(_delete_=True, type='MultiSpectralPreprocessor')
pack = dict(type='PackRaster', meta_keys=('img_path', 'img_shape', 'ori_shape', 'city'))
train_pipeline = [dict(type='LoadFeatureMap'), dict(type='RandomFlip', prob=0.5), pack]
test_pipeline = [dict(type='LoadFeatureMap'), pack]
train_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=test_pipeline))
