# U-Net on the date nearest to the first of June: what one image knows of crops.
_base_ = [
    '../_base_/models/unet_resnet18.py',
    '../_base_/datasets/pastis.py',
    '../_base_/schedules/adam_dense.py',
    '../_base_/default_runtime.py',
]
batch_size = 16
date = '2019-06-01'
steps = [
    dict(type='LoadSeries', dates='single', date=date),
    dict(type='NormalizeSeries'),
    dict(type='LoadSeriesLabel'),
]
train_pipeline = [*steps, dict(type='RandomDihedral'), dict(type='PackMap')]
test_pipeline = [*steps, dict(type='PackMap')]

model = dict(decode_head=dict(num_classes=20))
data_preprocessor = dict(_delete_=True, type='MultiSpectralPreprocessor', bands='pastis')
train_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=test_pipeline))
default_hooks = dict(checkpoint=dict(save_best='seg/miou', rule='greater'))
