# SeCo's decoder under the recipe for few pairs, to compare encoders: --cfg-options
# pretrained=CHECKPOINT, or random; frozen=False tunes the encoder.
_base_ = [
    '../_base_/models/change_resnet18.py',
    '../_base_/datasets/oscd_rgb_crops.py',
    '../_base_/schedules/adamw_averaged.py',
    '../_base_/default_runtime.py',
]

model = dict(loss=dict(terms=dict(bce=1.0, dice=1.0), pos_weight=1.5))
default_hooks = dict(checkpoint=dict(interval=10, save_best='change/f1', rule='greater'))
