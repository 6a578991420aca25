# Fine-tune a pretrained backbone; give it with --cfg-options pretrained=CHECKPOINT.
_base_ = [
    '../_base_/models/resnet18_classifier.py',
    '../_base_/datasets/eurosat_rgb.py',
    '../_base_/schedules/sgd_cosine.py',
    '../_base_/tta/classification.py',
    '../_base_/default_runtime.py',
]
pretrained = None
prefix = 'backbone.'

backbone = dict()
if pretrained:
    backbone['init_cfg'] = dict(type='Pretrained', checkpoint=pretrained, prefix=prefix)
model = dict(backbone=backbone)
optim_wrapper = dict(
    optimizer=dict(lr=0.05),
    paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0.4)}),
)
default_hooks = dict(checkpoint=dict(save_best='accuracy/top1', rule='greater'))
