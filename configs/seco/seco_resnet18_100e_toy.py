# seco on a toy CACo archive, small enough for a CPU:
#   python tools/misc/make_toy_data.py caco --out data/toy/caco --size 96 --places 120
_base_ = './seco_resnet18_200e_seco-100k.py'
data_root = 'data/toy/caco'

# Weak colour: on ToyEarth as on EuroSAT colour tells the classes apart.
colour = [
    dict(
        type='RandomColorJitter', brightness=0.4, contrast=0.4, saturation=0.2, hue=0.02, prob=0.8
    ),
    dict(type='RandomGaussianBlur', sigma=(0.1, 1.0), prob=0.5),
    dict(type='RandomDihedral'),
]
train_pipeline = [
    dict(type='SampleDates'),
    dict(type='LoadScenes', size=96),
    dict(type='QuantileStretch', quantiles='seco'),
    dict(type='SeasonalViews', size=32, aug=colour),
    dict(type='PackRaster'),
]
train_dataloader = dict(
    batch_size=64,
    num_workers=1,
    dataset=dict(type='CACoDataset', data_root=data_root, pipeline=train_pipeline),
)
# 0.999 would leave the key encoder of so short a run where it started.
model = dict(queue_len=512, momentum=0.98)
optim_wrapper = dict(optimizer=dict(lr=0.05))
param_scheduler = dict(milestones=[60, 80])
train_cfg = dict(max_epochs=100)
