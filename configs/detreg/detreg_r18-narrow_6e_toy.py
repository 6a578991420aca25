# Pretraining for deformable-detr_r18-narrow_40e_toy.py on unlabelled scenes of 128 px
# (make_toy_data.py aerial --images 1000 --size 128 --seed 1 --out data/toy/aerial-unlabelled).
_base_ = ['./detreg_r18_20e_toy.py']

data_root = 'data/toy/aerial-unlabelled/images'
batch_size = 8
cache_dir = 'data/toy/proposal_cache'
teacher_checkpoint = None  # checkpoint of configs/swav/swav_resnet18-narrow_10e_toy.py
epochs = 6
scale = (128, 128)
num_queries = 50
width = 128
train_pipeline = [
    dict(type='LoadPicture'),
    dict(type='SearchProposals', count=20, min_side=6, cache_dir=cache_dir),
    dict(type='CropProposalPatches', size=32),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmdet.Resize', scale=scale, keep_ratio=True),
    dict(type='PackDETRegInputs'),
]

attention = dict(embed_dims=width, num_heads=8)
feedforward = dict(embed_dims=width, feedforward_channels=256)
backbone = dict(base_channels=32, stem_channels=32)
if teacher_checkpoint:
    backbone['init_cfg'] = dict(
        type='Pretrained', checkpoint=teacher_checkpoint, prefix='backbone.'
    )
model = dict(
    num_queries=num_queries,
    backbone=backbone,
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
    teacher=dict(backbone=dict(base_channels=32, stem_channels=32), checkpoint=teacher_checkpoint),
    bbox_head=dict(embed_dims=width, embedding_dim=64),
)
train_dataloader = dict(
    batch_size=batch_size, dataset=dict(data_root=data_root, pipeline=train_pipeline)
)
train_cfg = dict(max_epochs=epochs)
