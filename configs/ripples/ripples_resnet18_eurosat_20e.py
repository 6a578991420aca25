# EuroSAT's chips, each a pair with itself; any folder of images will do.
_base_ = './ripples_resnet18_ours_20e.py'
data_root = 'data/eurosat/2750'

train_pipeline = [
    dict(type='LoadEventPair'),
    dict(type='EventViews'),
    dict(type='PackRaster', meta_keys=('sample_idx', 'img_path', 'bands', 'event_weights')),
]
train_dataloader = dict(
    dataset=dict(_delete_=True, type='SelfPairs', data_root=data_root, pipeline=train_pipeline)
)
