# TeCo: as the toy CACo, with the partner always a negative and no change flags.
_base_ = './caco_resnet18_50e_toy.py'

model = dict(type='TeCo')
train_dataloader = dict(dataset=dict(mode='teco'))
custom_hooks = []
