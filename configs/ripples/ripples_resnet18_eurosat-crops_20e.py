# Each image of a folder with itself, as small crops of any scale in changing light: for real chips
# on one CPU core. The published recipe (eurosat_20e) sees one scale, no colour and a lower rate.
_base_ = [
    '../_base_/models/pair_contrast_resnet18.py',
    '../_base_/pretraining/event_pairs.py',
    '../_base_/default_runtime.py',
]
data_root = 'data/eurosat/2750'
epochs = 20
lr = 0.12

# Colour tells land cover apart, so hue and saturation change little.
colour = [
    dict(type='RandomColorJitter', brightness=0.4, contrast=0.4, saturation=0.2, hue=0.02, prob=0.8)
]
train_pipeline = [
    dict(type='LoadEventPair'),
    dict(type='EventCrops', size=32, cells=2, colour=colour),
    dict(type='PackRaster', meta_keys=('sample_idx', 'img_path', 'bands', 'event_weights')),
]
train_dataloader = dict(
    dataset=dict(_delete_=True, type='SelfPairs', data_root=data_root, pipeline=train_pipeline)
)
model = dict(temperature=0.2)
optim_wrapper = dict(optimizer=dict(lr=lr, weight_decay=5e-4, nesterov=True))
warmup = epochs // 20
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, end=warmup, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        begin=warmup,
        convert_to_iter_based=True,
    ),
][0 if warmup else 1 :]
# Features of chips as they are; the published 112 pixels are those of the other configs.
test_dataloader = dict(
    dataset=dict(_delete_=True, pipeline=[dict(type='LoadRaster'), dict(type='PackRaster')])
)
