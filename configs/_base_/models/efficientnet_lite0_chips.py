# EfficientNet-Lite0 on chips enlarged to 128 pixels; in prediction eight symmetries are averaged.
# `pretrained` takes ImageNet weights that tools/model_converters/convert.py has converted.
num_classes = 10
views = 8
pretrained = None

backbone = dict(
    type='mmpretrain.TIMMBackbone', model_name='tf_efficientnet_lite0', drop_path_rate=0.1
)
if pretrained:
    backbone['init_cfg'] = dict(type='Pretrained', checkpoint=pretrained, prefix='backbone.')
model = dict(
    type='ChipClassifier',
    input_size=128,
    views=views,
    backbone=backbone,
    neck=dict(type='PooledDropout', p=0.2),
    head=dict(
        type='mmpretrain.LinearClsHead',
        num_classes=num_classes,
        in_channels=1280,
        loss=dict(type='mmpretrain.LabelSmoothLoss', label_smooth_val=0.1),
        topk=(1,),
    ),
)
