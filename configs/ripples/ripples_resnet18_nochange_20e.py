# The same pairs, pooled over all pixels.
_base_ = './ripples_resnet18_ours_20e.py'

train_dataloader = dict(dataset=dict(use_mask=False))
