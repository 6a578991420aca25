# MoCo v2 on toy EuroSAT at half width; the log compares its probes with those of random weights:
#   python tools/misc/make_toy_data.py eurosat --out data/toy/eurosat --chips-per-class 150
_base_ = './moco-v2_resnet18_20e_eurosat-rgb.py'
data_root = 'data/toy/eurosat'
batch_size = 64
epochs = 60
num_workers = 0

chips = dict(
    type='EuroSAT',
    data_root=data_root,
    pipeline=[dict(type='LoadRaster'), dict(type='PackRaster')],
)
model = dict(
    backbone=dict(stem_channels=32, base_channels=32),
    # Shorter than the dataset: no image meets its own older keys as negatives.
    queue_len=512,
)
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    dataset=dict(data_root=data_root),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    dataset=dict(data_root=data_root),
)
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=0.06))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, end=3, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=3, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=epochs)
custom_hooks = [
    dict(
        type='OnlineProbeHook',
        interval=15,
        train=dict(split='train', **chips),
        test=dict(split='val', **chips),
    )
]
default_hooks = dict(checkpoint=dict(interval=50))
