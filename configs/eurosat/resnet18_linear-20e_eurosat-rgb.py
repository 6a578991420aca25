# Linear probe: the backbone is frozen and its batch normalisation stays in evaluation mode.
# Give the pretrained weights with --cfg-options pretrained=CHECKPOINT; without it the backbone
# keeps its random weights, which is the baseline to beat.
_base_ = [
    '../_base_/models/resnet18_classifier.py',
    '../_base_/datasets/eurosat_rgb.py',
    '../_base_/schedules/adam_probe.py',
    '../_base_/default_runtime.py',
]
pretrained = None
prefix = 'backbone.'

backbone = dict(frozen_stages=4, norm_eval=True)
if pretrained:
    backbone['init_cfg'] = dict(type='Pretrained', checkpoint=pretrained, prefix=prefix)
model = dict(backbone=backbone)
default_hooks = dict(checkpoint=dict(save_best='accuracy/top1', rule='greater'))
