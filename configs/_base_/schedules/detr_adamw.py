# AdamW of Deformable DETR: backbone, sampling offsets and reference points at a tenth.
# The rate belongs to a batch of 32; smaller batches need a lower one, though not in proportion.
epochs = 50
drop = 40
lr = 2e-4
val_interval = 1

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=lr, weight_decay=1e-4),
    clip_grad=dict(max_norm=0.1, norm_type=2),
    paramwise_cfg=dict(
        custom_keys={
            'backbone': dict(lr_mult=0.1),
            'sampling_offsets': dict(lr_mult=0.1),
            'reference_points': dict(lr_mult=0.1),
        }
    ),
    constructor='TrainableOnlyConstructor',
)
param_scheduler = [dict(type='MultiStepLR', begin=0, by_epoch=True, milestones=[drop], gamma=0.1)]
train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=val_interval)
val_cfg = dict()
test_cfg = dict()
