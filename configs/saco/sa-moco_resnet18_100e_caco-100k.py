# SA+MoCo: seven band groups, two augmented views of one date.
_base_ = './saco_resnet18_100e_caco-100k.py'

model = dict(num_keys=1)
train_dataloader = dict(dataset=dict(mode='sa_moco'))
