# The RGB classifier of the zoo: EfficientNet-Lite0 from ImageNet weights, on growing chips.
# To train it anew, convert ImageNet weights and give them with --cfg-options pretrained=FILE.
_base_ = [
    '../_base_/datasets/eurosat_rgb.py',
    '../_base_/schedules/adamw_averaged.py',
    '../_base_/default_runtime.py',
]
epochs = 20
views = 8  # symmetries whose probabilities are averaged in prediction
pretrained = None

backbone = dict(
    type='mmpretrain.TIMMBackbone', model_name='tf_efficientnet_lite0', drop_path_rate=0.1
)
if pretrained:
    backbone['init_cfg'] = dict(type='Pretrained', checkpoint=pretrained)
model = dict(
    type='ChipClassifier',
    input_size=128,
    views=views,
    backbone=backbone,
    neck=dict(type='PooledDropout', p=0.2),
    head=dict(
        type='mmpretrain.LinearClsHead',
        num_classes=10,
        in_channels=1280,
        loss=dict(type='mmpretrain.LabelSmoothLoss', label_smooth_val=0.1),
        topk=(1,),
    ),
)
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
fractions = (0.9, 0.1)
train_dataloader = dict(
    batch_size=64, num_workers=1, dataset=dict(fractions=fractions, pipeline=train_pipeline)
)
val_dataloader = dict(dataset=dict(fractions=fractions))
test_dataloader = dict(dataset=dict(fractions=fractions))

optim_wrapper = dict(
    optimizer=dict(weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, end=1, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        begin=1,
        T_max=epochs - 1,
        eta_min=1e-6,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=epochs, val_interval=3)
custom_hooks = [
    dict(type='EMAHook', momentum=0.002, update_buffers=True),
    dict(type='InputSizeHook', sizes={'0': 64, '8': 96, '15': 128}),
]
