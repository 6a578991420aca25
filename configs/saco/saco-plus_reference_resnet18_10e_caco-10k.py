# The settings of the released script: 10 epochs, K 384, its group term, group table, LBP scale
# and augmentation, which moves every band on its own.
_base_ = './saco-plus_resnet18_100e_caco-100k.py'
data_root = 'data/clean_10k_geography'
epochs = 10

model = dict(
    groups='saco_code',
    group_loss='reference',
    texture=dict(_delete_=True, scale='batch'),
    queue_len=384,
)
train_pipeline = [
    dict(type='SampleDates'),
    dict(type='LoadScenes', size=64, resample='bilinear'),
    dict(type='SeasonalViews', compat='reference'),
    dict(type='PackRaster'),
]
train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
param_scheduler = dict(milestones=[])
train_cfg = dict(max_epochs=epochs)
