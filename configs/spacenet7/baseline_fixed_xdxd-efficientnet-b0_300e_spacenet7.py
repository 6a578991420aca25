# Another encoder: one line. Any backbone of mmpretrain or timm with features at doubling strides.
_base_ = './baseline_fixed_xdxd-vgg16_300e_spacenet7.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.TIMMBackbone',
        model_name='efficientnet_b0',
        features_only=True,
        pretrained=False,
    )
)
