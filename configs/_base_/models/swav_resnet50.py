# SwAV on ResNet-50: projection 2048-2048-128, two full and six small crops, any band count.
depth = 50
num_prototypes = 3000
epsilon = 0.05
queue_length = 3840
mean = [123.675, 116.28, 103.53]
std = [58.395, 57.12, 57.375]
width = 2048 if depth >= 50 else 512

model = dict(
    type='mmpretrain.SwAV',
    data_preprocessor=dict(type='MultiSpectralPreprocessor', mean=mean, std=std),
    backbone=dict(type='mmpretrain.ResNet', depth=depth, in_channels='auto'),
    neck=dict(
        type='mmpretrain.SwAVNeck',
        in_channels=width,
        hid_channels=width,
        out_channels=128,
        norm_cfg=dict(type='BN1d'),
        with_avg_pool=True,
    ),
    head=dict(
        type='mmpretrain.SwAVHead',
        loss=dict(
            type='rsmm.SwAVLoss',
            feat_dim=128,
            num_prototypes=num_prototypes,
            num_crops=(2, 6),
            epsilon=epsilon,
            temperature=0.1,
            queue_length=queue_length,
        ),
    ),
)
