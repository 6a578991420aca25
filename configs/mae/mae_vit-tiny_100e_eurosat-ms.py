# MAE on all 13 bands of EuroSAT: 64 px in patches of 8, normalised targets.
_base_ = ['./mae_vit-base_100e_tiles-256.py']

data_root = 'data/eurosat/tif'
batch_size = 256
bands = 'eurosat'
img_size = 64
patch_size = 8
tiny = dict(_delete_=True, embed_dims=192, num_layers=12, num_heads=3, feedforward_channels=768)

model = dict(
    data_preprocessor=dict(
        _delete_=True, type='MultiSpectralPreprocessor', bands=bands, stats='eurosat'
    ),
    backbone=dict(
        arch=tiny, img_size=img_size, patch_size=patch_size, patch_cfg=dict(in_channels=13)
    ),
    neck=dict(
        num_patches=(img_size // patch_size) ** 2,
        patch_size=patch_size,
        in_chans=13,
        embed_dim=192,
        decoder_embed_dim=192,
        decoder_depth=4,
        decoder_num_heads=6,
    ),
    head=dict(norm_pix=True, patch_size=patch_size, in_channels=13),
)
train_pipeline = [
    dict(type='LoadRaster', order=bands),
    dict(type='RandomResizedCrop', size=img_size, scale=(0.2, 1.0), interpolation='bicubic'),
    dict(type='RandomDihedral'),
    dict(type='PackRaster'),
]
train_dataloader = dict(
    batch_size=batch_size, dataset=dict(data_root=data_root, pipeline=train_pipeline)
)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
