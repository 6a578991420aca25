# ResNet-18 with global average pooling and a linear classifier.
# `in_channels` follows the bands of the dataset; `num_classes` its classes.
in_channels = 3
num_classes = 10

model = dict(
    type='mmpretrain.ImageClassifier',
    backbone=dict(type='mmpretrain.ResNet', depth=18, in_channels=in_channels),
    neck=dict(type='mmpretrain.GlobalAveragePooling'),
    head=dict(
        type='mmpretrain.LinearClsHead',
        num_classes=num_classes,
        in_channels=512,
        loss=dict(type='mmpretrain.CrossEntropyLoss'),
        topk=(1,),
    ),
)
