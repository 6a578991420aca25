# SACo+: as the toy SACo, with texture.
_base_ = './saco_resnet18_5e_toy.py'

model = dict(texture=True)
