# Pairs of change events, pooled where something changed: the published recipe.
_base_ = [
    '../_base_/models/pair_contrast_resnet18.py',
    '../_base_/pretraining/event_pairs.py',
    '../_base_/default_runtime.py',
]
