# The small ViT of configs/mae/mae_vit-tiny_20e_toy.py under a simple pyramid, on toy scenes.
_base_ = ['./faster-rcnn_vit-base-mae_12e_dota.py']

data_root = 'data/toy/aerial'
batch_size = 4
img_size = 256
pretrained = None
frozen_stages = 6
tiny = dict(_delete_=True, embed_dims=192, num_layers=6, num_heads=3, feedforward_channels=768)

backbone = dict(arch=tiny, img_size=img_size, frozen_stages=frozen_stages)
if pretrained:
    backbone['init_cfg'] = dict(type='Pretrained', checkpoint=pretrained, prefix='backbone.')
channels = 64
model = dict(
    backbone=backbone,
    neck=dict(in_channels=192, out_channels=channels),
    rpn_head=dict(in_channels=channels, feat_channels=channels, anchor_generator=dict(scales=[4])),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=channels),
        bbox_head=dict(in_channels=channels, fc_out_channels=256),
    ),
)
train_pipeline, test_pipeline = (
    [
        dict(step, scale=(img_size, img_size)) if step['type'] == 'mmdet.Resize' else step
        for step in steps
    ]
    for steps in (_base_.train_pipeline, _base_.test_pipeline)
)
dataset = dict(data_root=data_root, tile=None, stride=None)
train_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **dataset))
test_dataloader = val_dataloader
