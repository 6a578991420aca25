# 80 labelled chips.
_base_ = './supervised_vit-small-p2_205k_eurosat-40lb.py'

train_dataloader = dict(dataset=dict(labelled=dict(num_labels=80), unlabelled=dict(num_labels=80)))
