"""Toy EuroSAT, written by: python tools/misc/make_toy_data.py eurosat --out data/toy/eurosat"""

_base_ = './eurosat_rgb.py'
data_root = 'data/toy/eurosat'
batch_size = 64

train_dataloader = dict(batch_size=batch_size, dataset=dict(data_root=data_root))
val_dataloader = dict(batch_size=batch_size, dataset=dict(data_root=data_root))
test_dataloader = dict(batch_size=batch_size, dataset=dict(data_root=data_root))
