"""SA+MoCo, SACo and, with texture, SACo+ on 12 bands of dated scenes in three-band groups."""

mode = 'saco'  # date rule: sa_moco, saco or one's own
num_keys = 2  # views beside the query: 1 for sa_moco
archive = 'CACoDataset'
data_root = 'data/clean_100k_geography'
packed = None  # folder made by tools/dataset_converters/pack_scenes.py: reads that instead
batch_size = 64
num_workers = 8
scene_size = 64
bands = 'seco'
split = 'train'
val_fraction = 0.3
on_bad = 'error'

train_pipeline = [
    dict(type='SampleDates'),
    dict(type='LoadScenes', size=scene_size),
    dict(type='SeasonalViews'),
    dict(type='PackRaster'),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='PlaceSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    drop_last=True,
    dataset=dict(
        type=archive,
        data_root=data_root,
        packed=packed,
        mode=mode,
        bands=bands,
        split=split,
        val_fraction=val_fraction,
        on_bad=on_bad,
        pipeline=train_pipeline,
    ),
)

texture = False  # True adds four groups of LBP bands (SACo+)
depth = 18
queue_len = 65536
pretrained = f'torchvision://resnet{depth}'

model = dict(
    type='SACo',
    backbone=dict(
        type='mmpretrain.ResNet',
        depth=depth,
        init_cfg=dict(type='Pretrained', checkpoint=pretrained) if pretrained else None,
    ),
    neck=dict(type='GroupMLP', in_channels='auto', out_channels=256),
    bands=bands,
    groups='readme',
    texture=texture,
    group_loss='pull',
    num_keys=num_keys,
    queue_len=queue_len,
    feat_dim=256,
    momentum=0.999,
    temperature=0.05,
    data_preprocessor=dict(type='MultiSpectralPreprocessor', scale=255),
)
custom_hooks = [dict(type='FillQueueHook')]
