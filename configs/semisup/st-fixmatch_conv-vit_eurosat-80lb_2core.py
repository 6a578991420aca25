# The same network with place and date for the teacher, 80 labels.
_base_ = './fixmatch_conv-vit_eurosat-40lb_2core.py'

model = dict(type='STSSLClassifier', distill_weight=0.01)
train_dataloader = dict(dataset=dict(labelled=dict(num_labels=80), unlabelled=dict(num_labels=80)))
