# SeCo's fine-tuning on BigEarthNet: the whole network, a hundredth of the probe's rate.
_base_ = './resnet18_linear-100e_bigearthnet-rgb.py'

model = dict(backbone=dict(frozen_stages=-1, norm_eval=False))
optim_wrapper = dict(optimizer=dict(lr=1e-5))
