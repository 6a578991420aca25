# A linear layer on the frozen backbone: --cfg-options pretrained=work_dirs/.../epoch_40.pth
_base_ = [
    '../_base_/models/resnet18_classifier.py',
    '../_base_/datasets/toy_eurosat_rgb.py',
    '../_base_/schedules/adam_probe.py',
    '../_base_/default_runtime.py',
]
pretrained = None

backbone = dict(frozen_stages=4, norm_eval=True)
if pretrained:
    backbone['init_cfg'] = dict(type='Pretrained', checkpoint=pretrained, prefix='backbone.')
model = dict(backbone=backbone)
