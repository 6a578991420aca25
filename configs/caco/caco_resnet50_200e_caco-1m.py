_base_ = './caco_resnet50_1000e_caco-100k.py'
data_root = 'data/clean_1m_geography'
epochs = 200

train_dataloader = dict(dataset=dict(data_root=data_root))
param_scheduler = dict(milestones=[epochs * 3 // 5, epochs * 4 // 5])
train_cfg = dict(max_epochs=epochs)
