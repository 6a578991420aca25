# The study's pretraining: 10 epochs at batch 16. Needs teacher_checkpoint=swav.pth to be of use.
_base_ = [
    '../_base_/models/detreg_r50.py',
    '../_base_/datasets/detreg_tiles.py',
    '../_base_/schedules/detr_adamw.py',
    '../_base_/default_runtime.py',
]
batch_size = 16
epochs = 10
train_cfg = dict(max_epochs=epochs)
val_cfg = None
test_cfg = None
param_scheduler = []  # the drop after epoch 40 never comes
train_dataloader = dict(batch_size=batch_size)
