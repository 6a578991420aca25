# ResNet-18 with global average pooling and a linear classifier.
# Channels follow the bands of the data_preprocessor; `num_classes` follows the dataset.
num_classes = 10

model = dict(
    type='mmpretrain.ImageClassifier',
    backbone=dict(type='mmpretrain.ResNet', depth=18, in_channels='auto'),
    neck=dict(type='mmpretrain.GlobalAveragePooling'),
    head=dict(
        type='mmpretrain.LinearClsHead',
        num_classes=num_classes,
        in_channels='auto',
        loss=dict(type='mmpretrain.CrossEntropyLoss'),
        topk=(1,),
    ),
)
