# The fifteen classes.
_base_ = './unet_resnet18_100e_gid5.py'
data_root = 'data/gid15'
classes = dict(data_root=data_root, num_classes=15)

model = dict(decode_head=dict(num_classes=16))
train_dataloader = dict(dataset=classes)
val_dataloader = dict(dataset=classes)
test_dataloader = dict(dataset=classes)
