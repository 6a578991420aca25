# The low-label experiment on two cores: half of ResNet-18's width, 128 channels, three encoder and
# decoder layers, 50 queries, scenes of 128 px (make_toy_data.py aerial --images 600 --size 128).
_base_ = ['./deformable-detr_r18_30e_toy.py']

scale = (128, 128)
num_queries = 50
width = 128
epochs = 40
drop = 32
lr = 4e-4
train_pipeline, test_pipeline = (
    [dict(step, scale=scale) if step['type'] == 'mmdet.Resize' else step for step in steps]
    for steps in (_base_.train_pipeline, _base_.test_pipeline)
)

attention = dict(embed_dims=width, num_heads=8)
feedforward = dict(embed_dims=width, feedforward_channels=256)
model = dict(
    num_queries=num_queries,
    backbone=dict(base_channels=32, stem_channels=32),
    neck=dict(in_channels=[64, 128, 256], out_channels=width),
    encoder=dict(layer_cfg=dict(self_attn_cfg=attention, ffn_cfg=feedforward)),
    decoder=dict(
        layer_cfg=dict(
            self_attn_cfg=dict(embed_dims=width),
            cross_attn_cfg=attention,
            ffn_cfg=feedforward,
        )
    ),
    positional_encoding=dict(num_feats=width // 2),
    bbox_head=dict(embed_dims=width),
)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
param_scheduler = [dict(type='MultiStepLR', begin=0, by_epoch=True, milestones=[drop], gamma=0.1)]
train_cfg = dict(max_epochs=epochs, val_interval=20)
