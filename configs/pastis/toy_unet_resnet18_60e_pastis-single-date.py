# The single date on ToyEarth, for comparison with U-TAE.
_base_ = './unet_resnet18_100e_pastis-single-date.py'
data_root = 'data/toy/pastis'
epochs = 60

train_dataloader = dict(batch_size=4, dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root))
train_cfg = dict(max_epochs=epochs)
