_base_ = './caco_resnet18_1000e_caco-100k.py'

model = dict(backbone=dict(depth=50))
