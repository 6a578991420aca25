# DeFixMatch; the labelled patches need a strong view, too.
_base_ = './fixmatch_vit-small-p16_64k_ben43-1pct.py'

model = dict(rule=dict(type='DeFixMatchRule'))
pipeline = [
    *_base_.load,
    dict(type='WeakStrong', weak=1, strong=1, where=_base_.where, views=_base_.views),
    dict(type='PackViews'),
]
train_dataloader = dict(dataset=dict(labelled=dict(pipeline=pipeline)))
