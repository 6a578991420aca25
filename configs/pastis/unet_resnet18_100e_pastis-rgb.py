# U-Net on a frozen encoder and the three colour bands of the date nearest to the first of June: a
# test for encoders of three bands. --cfg-options pretrained=CHECKPOINT
_base_ = [
    '../_base_/models/unet_resnet18.py',
    '../_base_/datasets/pastis.py',
    '../_base_/schedules/adam_dense.py',
    '../_base_/default_runtime.py',
]
batch_size = 16
date = '2019-06-01'
frozen = True
steps = [
    dict(type='LoadSeries', dates='single', date=date),
    dict(type='NormalizeSeries'),
    dict(type='LoadSeriesLabel'),
]
train_pipeline = [*steps, dict(type='RandomDihedral'), dict(type='PackMap')]
test_pipeline = [*steps, dict(type='PackMap')]

model = dict(frozen=frozen, decode_head=dict(num_classes=20))
data_preprocessor = dict(_delete_=True, type='MultiSpectralPreprocessor', bands='s2-rgb')
train_dataloader = dict(
    batch_size=batch_size, dataset=dict(bands='s2-rgb', pipeline=train_pipeline)
)
val_dataloader = dict(batch_size=batch_size, dataset=dict(bands='s2-rgb', pipeline=test_pipeline))
test_dataloader = dict(batch_size=batch_size, dataset=dict(bands='s2-rgb', pipeline=test_pipeline))
default_hooks = dict(checkpoint=dict(save_best='seg/miou', rule='greater'))
