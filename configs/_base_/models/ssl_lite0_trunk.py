# The first five stages of EfficientNet-Lite0 for SSLClassifier, from ImageNet: 0.7 M weights, small
# images, few cores. It can take a token of place and date. `pretrained=None` starts at random.
pretrained = (
    '{{ fileDirname }}/../../../zoo/encoder_efficientnet-lite0-trunk_rgb-396390e8.safetensors'
)

network = dict(type='EfficientNetTrunk', model_name='tf_efficientnet_lite0', stages=5)
if pretrained:
    network['init_cfg'] = dict(type='Pretrained', checkpoint=pretrained, prefix='backbone.')
model = dict(
    type='SSLClassifier',
    backbone=dict(type='CNNExtraToken', network=network, embed_dims=112),
    head=dict(
        type='mmpretrain.LinearClsHead',
        num_classes=10,
        in_channels=112,
        loss=dict(type='mmpretrain.CrossEntropyLoss'),
    ),
)
