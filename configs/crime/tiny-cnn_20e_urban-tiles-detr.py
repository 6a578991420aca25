# The study's classifier on maps that configs/crime/maps_deformable-detr_r18-narrow_toy.py wrote.
_base_ = [
    '../_base_/models/tiny_cnn.py',
    '../_base_/datasets/crime_maps.py',
    '../_base_/schedules/crime_sgd.py',
    '../_base_/default_runtime.py',
]
maps_dir = 'data/toy/urban-tiles-maps/detr'
epochs = 20
in_channels = 128  # 256 at full width
size = 100  # as the study's; behind the first convolution

model = dict(backbone=dict(in_channels=in_channels, size=size))
train_dataloader = dict(dataset=dict(maps_dir=maps_dir))
val_dataloader = dict(dataset=dict(maps_dir=maps_dir))
test_dataloader = dict(dataset=dict(maps_dir=maps_dir))
train_cfg = dict(max_epochs=epochs)
default_hooks = dict(checkpoint=dict(save_best='crime/accuracy', rule='greater'))
