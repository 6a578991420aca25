# Encoder maps of the toy Deformable DETR for every tile:
# python tools/test.py THIS work_dirs/deformable_detr/epoch_40.pth --cfg-options maps_dir=DIR
_base_ = ['../deformable_detr/deformable-detr_r18-narrow_40e_toy.py']

data_root = 'data/toy/urban-tiles/tiles'
maps_dir = 'data/toy/urban-tiles-maps/detr'
level = 0  # stride 8
num_workers = 2
scale = (256, 256)

# Maps are written by a test: nothing is trained or validated.
train_dataloader = train_cfg = optim_wrapper = param_scheduler = None
val_dataloader = val_cfg = val_evaluator = None
test_pipeline = [
    dict(type='LoadPicture'),
    dict(type='mmdet.Resize', scale=scale, keep_ratio=True),
    dict(
        type='mmdet.PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
test_dataloader = dict(
    batch_size=8,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    dataset=dict(
        _delete_=True,
        type='UnlabeledTiles',
        data_root=data_root,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_evaluator = []
custom_hooks = [
    dict(type='FeatureMapDumpHook', out_dir=maps_dir, module='encoder', level=level),
]
