# Maps of the toy MAE's encoder for every tile, all patches visible:
# python tools/test.py THIS work_dirs/mae/epoch_20.pth --cfg-options maps_dir=DIR
_base_ = ['../_base_/default_runtime.py']

data_root = 'data/toy/urban-tiles/tiles'
maps_dir = 'data/toy/urban-tiles-maps/mae'
arch = dict(embed_dims=192, num_layers=6, num_heads=3, feedforward_channels=768)  # 'b' for ViT-B
img_size = 256
num_workers = 2

model = dict(
    type='FeatureExtractor',
    data_preprocessor=dict(
        type='MultiSpectralPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
    ),
    backbone=dict(
        type='mmpretrain.VisionTransformer',
        arch=arch,
        img_size=img_size,
        patch_size=16,
        out_type='featmap',
    ),
)
test_dataloader = dict(
    batch_size=8,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='UnlabeledTiles',
        data_root=data_root,
        test_mode=True,
        pipeline=[dict(type='LoadPicture'), dict(type='PackRaster')],
    ),
)
test_evaluator = []
test_cfg = dict()
custom_hooks = [dict(type='FeatureMapDumpHook', out_dir=maps_dir, module='backbone')]
