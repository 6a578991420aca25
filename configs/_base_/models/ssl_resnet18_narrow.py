# A ResNet-18 of a quarter's width for SSLClassifier, 0.7 M weights: small images, few cores.
model = dict(
    type='SSLClassifier',
    backbone=dict(
        type='mmpretrain.ResNetV1d',
        depth=18,
        stem_channels=16,
        base_channels=16,
        strides=(1, 1, 2, 2),
    ),
    neck=dict(type='mmpretrain.GlobalAveragePooling'),
    head=dict(
        type='mmpretrain.LinearClsHead',
        num_classes=10,
        in_channels=128,
        loss=dict(type='mmpretrain.CrossEntropyLoss'),
    ),
)
