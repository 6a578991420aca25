_base_ = './moco-v2_resnet18_200e_seco-100k.py'

model = dict(backbone=dict(depth=50))
