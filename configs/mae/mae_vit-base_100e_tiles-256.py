# The study's settings: 256 px, raw pixels, 100 epochs of which 40 warm up, 2.5e-4 at batch 64.
_base_ = ['../_base_/models/mae_vit-base.py', '../_base_/default_runtime.py']

data_root = 'data/tiles'
batch_size = 64
num_workers = 4
img_size = 256
epochs = 100
warmup = 40
lr = 1e-3 * 64 / 256

train_pipeline = [
    dict(type='LoadPicture'),
    dict(type='RandomResizedCrop', size=img_size, scale=(0.2, 1.0), interpolation='bicubic'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackRaster'),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='EpochSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    drop_last=True,
    dataset=dict(type='UnlabeledTiles', data_root=data_root, pipeline=train_pipeline),
)
no_decay = {
    key: dict(decay_mult=0.0) for key in ('ln', 'bias', 'pos_embed', 'mask_token', 'cls_token')
}
optim_wrapper = dict(
    type='AmpOptimWrapper',
    optimizer=dict(type='AdamW', lr=lr, betas=(0.9, 0.95), weight_decay=0.05),
    paramwise_cfg=dict(custom_keys=no_decay),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, end=warmup, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        begin=warmup,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(by_epoch=True, max_epochs=epochs)
