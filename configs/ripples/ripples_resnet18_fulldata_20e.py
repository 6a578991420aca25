# Neighbouring months of whole cells, a random window of both, without looking for change.
_base_ = './ripples_resnet18_ours_20e.py'
data_root = 'data/ripples/cells'
window = 128

train_pipeline = [
    dict(type='LoadEventPair', window=window),
    dict(type='EventViews'),
    dict(type='PackRaster', meta_keys=('sample_idx', 'img_path', 'bands', 'event_weights')),
]
train_dataloader = dict(
    dataset=dict(_delete_=True, type='SeriesPairs', data_root=data_root, pipeline=train_pipeline)
)
