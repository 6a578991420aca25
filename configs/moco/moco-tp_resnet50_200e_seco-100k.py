_base_ = './moco-tp_resnet18_200e_seco-100k.py'

model = dict(backbone=dict(depth=50))
