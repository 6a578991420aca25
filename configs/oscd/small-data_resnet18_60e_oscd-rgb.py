# The change detector to use when there are few labelled pairs: colour that any source has,
# scene-wise stretch, tuned encoder (--cfg-options pretrained=CHECKPOINT), crops that seek change,
# strong photometry drawn per date. Tested on every labelled city that it was not trained on:
#   python tools/test.py CONFIG CKPT --cfg-options data_root=DIR
_base_ = './seco_resnet18_100e_oscd-rgb.py'
data_root = 'data/oscd'
epochs = 60
lr = 3e-4
val_cities = ('beihai', 'nantes')
train_cities = (
    'aguasclaras', 'bercy', 'bordeaux', 'paris', 'rennes',
    'abudhabi', 'cupertino', 'hongkong', 'beirut',
)  # fmt: skip
crop = 128
load = dict(type='LoadPair', scale=dict(type='ScaleQuantile', out='uint8'))
colour = dict(type='RandomColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, hue=0.05)
train_pipeline = [
    load,
    dict(type='RandomCropMap', size=crop, focus=0.5),
    dict(type='RandomDihedral'),
    dict(type='SwapDates'),
    dict(type='PerDate', transforms=[colour, dict(type='RandomGaussianBlur', sigma=(0.1, 1.0))]),
    dict(type='PackMap'),
]

model = dict(frozen=False, loss=dict(terms=dict(bce=1.0, dice=1.0), pos_weight=3.0))
train_dataloader = dict(
    batch_size=16,
    dataset=dict(
        include=train_cities, tile=192, stride=96, border='shift', pipeline=train_pipeline
    ),
)
test_dataloader = dict(dataset=dict(split='all', exclude=train_cities))
param_scheduler = dict(_delete_=True, type='CosineAnnealingLR', T_max=epochs, eta_min=1e-6)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=lr, weight_decay=0.01))
train_cfg = dict(max_epochs=epochs)
default_hooks = dict(checkpoint=dict(save_best='change/f1', rule='greater'))
