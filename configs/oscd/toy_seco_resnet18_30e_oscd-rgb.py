# SeCo's detector, encoder tuned, on ToyEarth.
_base_ = './seco_resnet18_100e_oscd-rgb.py'
data_root = 'data/toy/oscd'
batch_size = 16
val_cities = ('paris', 'rennes')
epochs = 30

model = dict(frozen=False)
train_dataloader = dict(
    batch_size=batch_size, dataset=dict(data_root=data_root, exclude=val_cities)
)
val_dataloader = dict(dataset=dict(data_root=data_root, include=val_cities))
test_dataloader = dict(dataset=dict(data_root=data_root))
train_cfg = dict(max_epochs=epochs)
