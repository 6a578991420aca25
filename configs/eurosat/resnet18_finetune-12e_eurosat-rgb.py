# Fine-tune a pretrained backbone; give it with --cfg-options pretrained=CHECKPOINT.
_base_ = './resnet18_scratch-12e_eurosat-rgb.py'
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
