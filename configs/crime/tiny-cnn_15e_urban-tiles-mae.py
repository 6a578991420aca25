# The study's classifier on maps that configs/crime/maps_mae-vit-tiny_toy.py wrote.
_base_ = [
    '../_base_/models/tiny_cnn.py',
    '../_base_/datasets/crime_maps.py',
    '../_base_/schedules/crime_sgd.py',
    '../_base_/default_runtime.py',
]
maps_dir = 'data/toy/urban-tiles-maps/mae'
in_channels = 192  # 768 for ViT-B
size = 100  # as the study's; behind the first convolution

model = dict(backbone=dict(in_channels=in_channels, size=size))
train_dataloader = dict(dataset=dict(maps_dir=maps_dir))
val_dataloader = dict(dataset=dict(maps_dir=maps_dir))
test_dataloader = dict(dataset=dict(maps_dir=maps_dir))
default_hooks = dict(checkpoint=dict(save_best='crime/accuracy', rule='greater'))
