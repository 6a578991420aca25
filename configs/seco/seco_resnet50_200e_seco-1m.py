_base_ = './seco_resnet50_200e_seco-100k.py'
data_root = 'data/seasonal_contrast_1m'

train_dataloader = dict(dataset=dict(data_root=data_root))
