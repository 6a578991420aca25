# A ResNet-18 of a quarter's width for SSLClassifier, 0.7 M weights: small images, few cores.
# It can take a token of place and date. `pretrained` is where it starts: a file with the keys of
# simclr_resnet18-narrow_eurosat-rgb; None for random weights.
pretrained = None

network = dict(
    type='mmpretrain.ResNetV1d',
    depth=18,
    stem_channels=16,
    base_channels=16,
    strides=(1, 1, 2, 2),
)
if pretrained:
    network['init_cfg'] = dict(type='Pretrained', checkpoint=pretrained, prefix='backbone.')
model = dict(
    type='SSLClassifier',
    backbone=dict(type='CNNExtraToken', network=network, embed_dims=128),
    head=dict(
        type='mmpretrain.LinearClsHead',
        num_classes=10,
        in_channels=128,
        loss=dict(type='mmpretrain.CrossEntropyLoss'),
    ),
)
