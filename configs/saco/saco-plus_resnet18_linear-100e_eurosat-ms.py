# SACo+'s probe: LBP histograms of all bands beside the features of each group.
# model.compat=reference gives the released one (16 bins, batch-wise scale, softmax twice).
_base_ = './saco_resnet18_linear-20e_eurosat-ms.py'
batch_size = 64
epochs = 100

model = dict(texture=True)
train_dataloader = dict(batch_size=batch_size)
val_dataloader = dict(batch_size=batch_size)
test_dataloader = dict(batch_size=batch_size)
optim_wrapper = dict(optimizer=dict(lr=1e-3, weight_decay=0))
param_scheduler = dict(_delete_=True, type='StepLR', step_size=7, gamma=0.1)
train_cfg = dict(max_epochs=epochs)
