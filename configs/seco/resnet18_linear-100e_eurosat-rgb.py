# The linear probe that SeCo and CACo report: batch 32, 100 epochs, images scaled to [0, 1] only.
# Their released code leaves the frozen batch normalisation in training mode; here it is frozen too.
_base_ = '../eurosat/resnet18_linear-20e_eurosat-rgb.py'
batch_size = 32
epochs = 100

model = dict(
    data_preprocessor=dict(type='MultiSpectralPreprocessor', bands='eurosat-rgb', scale=255)
)
data_preprocessor = dict(
    _delete_=True, type='MultiSpectralPreprocessor', bands='eurosat-rgb', scale=255
)
train_pipeline = [dict(type='LoadRaster'), dict(type='PackRaster')]
train_dataloader = dict(batch_size=batch_size, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=batch_size)
test_dataloader = dict(batch_size=batch_size)
milestones = [epochs * 3 // 5, epochs * 4 // 5]
param_scheduler = dict(milestones=milestones)
train_cfg = dict(max_epochs=epochs, val_interval=max(1, epochs // 10))
