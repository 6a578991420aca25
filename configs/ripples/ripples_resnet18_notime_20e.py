# The earlier image twice, pooled where something changed.
_base_ = './ripples_resnet18_ours_20e.py'

train_dataloader = dict(dataset=dict(use_time=False))
