# U-Net on ToyEarth.
_base_ = './unet_resnet18_100e_gid5.py'
data_root = 'data/toy/gid'
epochs = 20
lr = 1e-3

train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root))
optim_wrapper = dict(optimizer=dict(lr=lr))
train_cfg = dict(max_epochs=epochs)
