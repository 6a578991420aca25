# Masked autoencoder, ViT-B/16: any band count, any size that 16 divides.
img_size = 256
in_channels = 3
arch = 'b'
embed_dims = 768
decoder_dims = 512
decoder_depth = 8
norm_pix = False  # raw pixels, as the study; normalised patches learn better features
mean = [123.675, 116.28, 103.53]
std = [58.395, 57.12, 57.375]

model = dict(
    type='mmpretrain.MAE',
    data_preprocessor=dict(type='MultiSpectralPreprocessor', mean=mean, std=std),
    backbone=dict(
        type='mmpretrain.MAEViT',
        arch=arch,
        img_size=img_size,
        patch_size=16,
        mask_ratio=0.75,
        patch_cfg=dict(in_channels=in_channels),
    ),
    neck=dict(
        type='mmpretrain.MAEPretrainDecoder',
        num_patches=(img_size // 16) ** 2,
        patch_size=16,
        in_chans=in_channels,
        embed_dim=embed_dims,
        decoder_embed_dim=decoder_dims,
        decoder_depth=decoder_depth,
        decoder_num_heads=16,
        mlp_ratio=4.0,
    ),
    head=dict(
        type='mmpretrain.MAEPretrainHead',
        norm_pix=norm_pix,
        patch_size=16,
        in_channels=in_channels,
        loss=dict(type='mmpretrain.PixelReconstructionLoss', criterion='L2'),
    ),
    init_cfg=[
        dict(type='Xavier', layer='Linear', distribution='uniform'),
        dict(type='Constant', layer='LayerNorm', val=1.0, bias=0.0),
    ],
)
