# All weights trained, from the pretrained backbone: --cfg-options pretrained=...
# Without `pretrained` this is the supervised baseline.
_base_ = [
    '../_base_/models/resnet18_classifier.py',
    '../_base_/datasets/toy_eurosat_rgb.py',
    '../_base_/schedules/sgd_cosine.py',
    '../_base_/tta/classification.py',
    '../_base_/default_runtime.py',
]
pretrained = None

backbone = dict()
if pretrained:
    backbone['init_cfg'] = dict(type='Pretrained', checkpoint=pretrained, prefix='backbone.')
model = dict(backbone=backbone)
optim_wrapper = dict(optimizer=dict(lr=0.02))
train_cfg = dict(val_interval=4)
