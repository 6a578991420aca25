_base_ = './caco_resnet50_1000e_caco-100k.py'
data_root = 'data/clean_1m_geography'

train_dataloader = dict(dataset=dict(data_root=data_root))
param_scheduler = dict(milestones=[120, 160])
train_cfg = dict(max_epochs=200)
