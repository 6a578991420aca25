# SA+MoCo: as the toy SACo, with two views of one date.
_base_ = './saco_resnet18_5e_toy.py'

model = dict(num_keys=1)
train_dataloader = dict(dataset=dict(mode='sa_moco'))
