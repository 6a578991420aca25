# The RGB classifier of the zoo: an ImageNet network fine-tuned on chips that grow from 64 to 128.
# To train it anew, give converted ImageNet weights with --cfg-options pretrained=FILE.
_base_ = [
    '../_base_/models/efficientnet_lite0_chips.py',
    '../_base_/datasets/eurosat_rgb.py',
    '../_base_/schedules/adamw_averaged.py',
    '../_base_/default_runtime.py',
]
epochs = 20
batch_size = 64
num_workers = 1
fractions = (0.9, 0.1)

data_preprocessor = dict(  # the range that the ImageNet weights were trained with
    _delete_=True,
    type='MultiSpectralPreprocessor',
    bands='eurosat-rgb',
    mean=[127] * 3,
    std=[128] * 3,
)
train_pipeline = [
    dict(type='LoadRaster'),
    dict(type='mmpretrain.RandomResizedCrop', scale=64, crop_ratio_range=(0.6, 1.0)),
    dict(type='RandomDihedral'),
    dict(type='PackRaster'),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    dataset=dict(fractions=fractions, pipeline=train_pipeline),
)
# Eight views of 16 chips: on CPUs larger batches are slower.
val_dataloader = dict(
    batch_size=min(16, batch_size), num_workers=num_workers, dataset=dict(fractions=fractions)
)
test_dataloader = val_dataloader

optim_wrapper = dict(
    optimizer=dict(weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
cosine = dict(type='CosineAnnealingLR', eta_min=1e-6, convert_to_iter_based=True)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, end=1, convert_to_iter_based=True),
    dict(**cosine, begin=1),
]
train_cfg = dict(max_epochs=epochs, val_interval=3)
custom_hooks = [
    dict(type='EMAHook', momentum=0.002, update_buffers=True),
    dict(type='InputSizeHook', sizes={'0': 64, '8': 96, '15': 128}),
]
default_hooks = dict(checkpoint=dict(save_best='accuracy/top1', rule='greater'))
