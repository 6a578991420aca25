"""One's own images in a folder per class, all of one size; see docs/own_data.md."""

data_root = 'data/own/classes'
bands = 'rgb'  # names of the images' bands, in the order of the files
stats = 'imagenet'  # or a file written by tools/analysis_tools/band_stats.py
classes = None  # names of the folders in label order; all, sorted, without
batch_size = 32
num_workers = 2
fractions = (0.75, 0.25)  # where there are no folders train, val, test
test_split = 'val'

data_preprocessor = dict(type='MultiSpectralPreprocessor', bands=bands, stats=stats)

train_pipeline = [dict(type='LoadRaster'), dict(type='RandomDihedral'), dict(type='PackRaster')]
test_pipeline = [dict(type='LoadRaster'), dict(type='PackRaster')]
images = dict(
    type='ImageFolder', data_root=data_root, bands=bands, classes=classes, fractions=fractions
)
loader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    collate_fn=dict(type='default_collate'),
)
unseen = dict(**images, pipeline=test_pipeline, test_mode=True)
in_order = dict(type='EpochSampler', shuffle=False)

train_dataloader = dict(
    **loader,
    sampler=dict(type='EpochSampler', shuffle=True),
    drop_last=True,
    dataset=dict(**images, split='train', pipeline=train_pipeline),
)
val_dataloader = dict(**loader, sampler=in_order, dataset=dict(**unseen, split='val'))
test_dataloader = dict(**loader, sampler=in_order, dataset=dict(**unseen, split=test_split))
val_evaluator = dict(type='mmpretrain.Accuracy', topk=(1,))
test_evaluator = val_evaluator
