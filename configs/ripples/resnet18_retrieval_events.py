# Whether labelled events of a kind find each other; nothing is trained.
#   python tools/test.py configs/ripples/resnet18_retrieval_events.py CHECKPOINT \
#       --cfg-options data_root=EVENTS labels=labels.csv positive=road
_base_ = ['../_base_/models/pair_contrast_resnet18.py', '../_base_/default_runtime.py']
data_root = 'data/ripples/events'
labels = 'data/ripples/labels.csv'  # columns event and label
label_column = 'label'
positive = None  # label whose events query; None: all, each for its own
topk = (25,)
batch_size = 64
num_workers = 2

data_preprocessor = dict(type='MultiSpectralPreprocessor', bands='rgb', stats='imagenet')
test_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    sampler=dict(type='EpochSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='ChangeEventPairs',
        data_root=data_root,
        labels=labels,
        label_column=label_column,
        test_mode=True,
        pipeline=[
            dict(type='LoadEventPair'),
            dict(type='ResizeEventPair', size=112),
            dict(type='PackRaster', meta_keys=('sample_idx', 'event', 'event_weights')),
        ],
    ),
)
test_evaluator = dict(type='EventRetrieval', topk=topk, positive=positive)
test_cfg = dict(type='FeatureTestLoop')
