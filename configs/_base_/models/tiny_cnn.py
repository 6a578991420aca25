# The study's classifier of tiles: 59,296 weights for RGB at 224 px.
model = dict(
    type='mmpretrain.ImageClassifier',
    backbone=dict(type='TinyCNN', in_channels=3, size=224),
    head=dict(
        type='mmpretrain.LinearClsHead',
        num_classes=2,
        in_channels=10,
        loss=dict(type='mmpretrain.CrossEntropyLoss'),
        topk=(1,),
    ),
)
