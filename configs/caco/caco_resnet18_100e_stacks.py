# CACo on any dated RGB stacks, packed as tiles by tools/dataset_converters/pack_stacks.py:
#   python tools/train.py CONFIG --cfg-options packed=DIR
_base_ = '../seco/seco_resnet18_100e_stacks.py'

model = dict(type='CACo')
train_dataloader = dict(dataset=dict(mode='caco'))
custom_hooks = [dict(type='ChangeFlagHook')]
