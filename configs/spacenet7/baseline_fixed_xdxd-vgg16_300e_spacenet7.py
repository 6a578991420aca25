# The baseline with its known faults mended: validation by place, normalised input, a schedule that
# runs, best weights kept, no loss on missing pixels. ImageNet weights for the encoder:
# --cfg-options pretrained=torchvision://vgg16
_base_ = [
    '../_base_/models/xdxd_unet_vgg16.py',
    '../_base_/datasets/spacenet7.py',
    '../_base_/schedules/adam_footprints.py',
    '../_base_/default_runtime.py',
]

default_hooks = dict(
    checkpoint=dict(save_best='footprint/loss', rule='less', interval=10, max_keep_ckpts=2)
)
custom_hooks = [
    dict(type='EarlyStoppingHook', monitor='footprint/loss', rule='less', patience=24, min_delta=0)
]
