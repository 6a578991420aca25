# SACo+: SACo and four groups of LBP bands, computed on the device.
_base_ = './saco_resnet18_100e_caco-100k.py'

model = dict(texture=True)
