# SACo's probe on EuroSAT: one linear layer on every band group, the groups' outputs averaged.
# --cfg-options pretrained=CHECKPOINT gives the weights; without it they are random.
_base_ = ['../_base_/datasets/eurosat_ms.py', '../_base_/default_runtime.py']
pretrained = None
batch_size = 128
epochs = 20

backbone = dict(type='mmpretrain.ResNet', depth=18)
if pretrained:
    backbone['init_cfg'] = dict(type='Pretrained', checkpoint=pretrained, prefix='backbone.')
model = dict(type='BandGroupClassifier', backbone=backbone, num_classes=10, bands='eurosat')
data_preprocessor = dict(_delete_=True, type='MultiSpectralPreprocessor')
train_pipeline = [
    dict(type='LoadRaster', nodata=0),
    dict(type='ScaleMinMax'),
    dict(type='RandomDihedral'),
    dict(type='RandomAffine', degrees=45, shear=10),
    dict(type='PackRaster'),
]
test_pipeline = [
    dict(type='LoadRaster', nodata=0),
    dict(type='ScaleMinMax'),
    dict(type='PackRaster'),
]
train_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=test_pipeline))

optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=2e-4, weight_decay=2e-5))
param_scheduler = dict(type='MultiStepLR', milestones=[epochs * 3 // 5, epochs * 4 // 5], gamma=0.1)
train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=5)
val_cfg = dict()
test_cfg = dict()
