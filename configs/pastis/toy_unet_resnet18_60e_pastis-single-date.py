# The single date on ToyEarth, for comparison with U-TAE.
_base_ = './unet_resnet18_100e_pastis-single-date.py'
data_root = 'data/toy/pastis'
batch_size = 4
epochs = 60

train_dataloader = dict(batch_size=batch_size, dataset=dict(data_root=data_root))
val_dataloader = dict(batch_size=batch_size, dataset=dict(data_root=data_root))
test_dataloader = dict(batch_size=batch_size, dataset=dict(data_root=data_root))
train_cfg = dict(max_epochs=epochs)
