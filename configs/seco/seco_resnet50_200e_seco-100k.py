_base_ = './seco_resnet18_200e_seco-100k.py'

model = dict(backbone=dict(depth=50))
