# SACo on a toy CACo archive, from random weights, small enough for a CPU:
#   python tools/misc/make_toy_data.py caco --out data/toy/caco --size 96 --places 120
_base_ = './saco_resnet18_100e_caco-100k.py'
data_root = 'data/toy/caco'
epochs = 5
num_workers = 1

# 0.999 would leave the key encoder of so short a run where it started.
model = dict(backbone=dict(init_cfg=None), queue_len=1024, momentum=0.99)
train_dataloader = dict(num_workers=num_workers, dataset=dict(data_root=data_root, split=None))
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = dict(milestones=[epochs * 3 // 5, epochs * 4 // 5])
train_cfg = dict(max_epochs=epochs)
