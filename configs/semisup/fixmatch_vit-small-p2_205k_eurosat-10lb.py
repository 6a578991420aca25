# 10 labelled chips.
_base_ = './fixmatch_vit-small-p2_205k_eurosat-40lb.py'

train_dataloader = dict(dataset=dict(labelled=dict(num_labels=10), unlabelled=dict(num_labels=10)))
