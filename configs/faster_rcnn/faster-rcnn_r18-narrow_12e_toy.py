# A quarter of ResNet-18's width and small heads: toy scenes need no more, and a core trains it in
# minutes. Expects scenes of 256 px: make_toy_data.py aerial --images 300.
_base_ = ['./faster-rcnn_r18_12e_toy.py']

epochs = 12
lr = 0.02
milestones = [9, 11]
channels = 64

model = dict(
    backbone=dict(base_channels=16, stem_channels=16),
    neck=dict(in_channels=[16, 32, 64, 128], out_channels=channels, num_outs=4),
    rpn_head=dict(
        in_channels=channels,
        feat_channels=channels,
        anchor_generator=dict(scales=[3, 5], strides=[4, 8, 16, 32]),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=channels),
        bbox_head=dict(in_channels=channels, fc_out_channels=256),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=500, max_per_img=200), rcnn=dict(sampler=dict(num=128))
    ),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=200)),
)
optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='MultiStepLR', begin=0, by_epoch=True, milestones=milestones, gamma=0.1),
]
train_cfg = dict(max_epochs=epochs, val_interval=3)
