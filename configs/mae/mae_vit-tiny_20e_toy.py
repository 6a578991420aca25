# Minutes on two cores: a small ViT on toy tiles at 128 px.
_base_ = ['./mae_vit-base_100e_tiles-256.py']

data_root = 'data/toy/urban-tiles/tiles'
batch_size = 32
img_size = 128
epochs = 20
warmup = 2
tiny = dict(_delete_=True, embed_dims=192, num_layers=6, num_heads=3, feedforward_channels=768)

model = dict(
    backbone=dict(arch=tiny, img_size=img_size),
    neck=dict(
        num_patches=(img_size // 16) ** 2,
        embed_dim=192,
        decoder_embed_dim=128,
        decoder_depth=2,
        decoder_num_heads=4,
    ),
    head=dict(norm_pix=True),
)
train_pipeline = [
    dict(type='LoadPicture'),
    dict(type='RandomResizedCrop', size=img_size, scale=(0.2, 1.0)),
    dict(type='RandomDihedral'),
    dict(type='PackRaster'),
]
train_dataloader = dict(
    batch_size=batch_size, dataset=dict(data_root=data_root, pipeline=train_pipeline)
)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-4, end=warmup, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        begin=warmup,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=epochs)
