# ViT-S for SSLClassifier and STSSLClassifier, which makes a teacher and a student of it.
pretrained = None  # a checkpoint of the plain ViT; teacher and student both start from it

backbone = dict(
    type='ViTExtraToken',
    arch='deit-small',
    img_size=32,
    patch_size=2,
    drop_path_rate=0.2,
)
if pretrained:
    backbone['init_cfg'] = dict(type='Pretrained', checkpoint=pretrained, prefix='backbone.')
model = dict(
    type='SSLClassifier',
    backbone=backbone,
    head=dict(
        type='mmpretrain.LinearClsHead',
        num_classes=10,
        in_channels=384,
        loss=dict(type='mmpretrain.CrossEntropyLoss'),
    ),
)
