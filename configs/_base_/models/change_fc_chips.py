"""FC-Siam-diff beside a slim decoder on the frozen encoder of the zoo's classifier of chips."""

pretrained = 'zoo:zoo_eurosat-rgb'  # or a file of such weights, or None
dropout = 0.1
pos_weight = 1.5
threshold = 0.3
max_share = 0.03  # of a scene
views = 4

detector = dict(
    type='ChangeDetector',
    multiple=16,
    threshold=threshold,
    max_share=max_share,
    loss=dict(type='ChangeLoss', terms=dict(bce=1.0, dice=1.0), pos_weight=pos_weight),
)
fc_siam_diff = dict(
    **detector,
    deepest='second',
    backbone=dict(type='FCEncoder', dropout=dropout),
    decode_head=dict(type='FCDecoder', in_channels='auto', dropout=dropout),
)
encoder = dict(type='mmpretrain.TIMMBackbone', model_name='tf_efficientnet_lite0')
if pretrained:
    encoder['init_cfg'] = dict(
        type='Pretrained',
        checkpoint=pretrained,
        prefix='backbone.',
        unused=['conv_head', '^timm_model.bn2'],
    )
chips = dict(
    **detector,
    frozen=True,
    backbone=dict(type='Enlarged', factor=2, backbone=dict(**encoder, features_only=True)),
    decode_head=dict(type='LateralDecoder', in_channels='auto', dropout=dropout),
)
model = dict(type='ChangeEnsemble', members=[fc_siam_diff, chips], views=views)
