# The study's classifier on raw tiles.
_base_ = [
    '../_base_/models/tiny_cnn.py',
    '../_base_/datasets/crime_tiles.py',
    '../_base_/schedules/crime_sgd.py',
    '../_base_/default_runtime.py',
]
default_hooks = dict(checkpoint=dict(save_best='crime/accuracy', rule='greater'))
