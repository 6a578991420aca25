"""Configs in the scope of a sister package: its names bare, those of rsmm with their prefix."""

from __future__ import annotations

from rsmm.apis import run
from tests.engine.test_runs import chips  # noqa: F401 (fixture)

CONFIG = """
default_scope = 'mmpretrain'
data_root = '{root}'
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        type='rsmm.MultiSpectralPreprocessor', bands='eurosat-rgb', stats='eurosat-rgb'
    ),
    backbone=dict(
        type='ResNet', depth=18, in_channels='auto', base_channels=4, stem_channels=4
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead', num_classes=10, in_channels='auto', loss=dict(type='CrossEntropyLoss')
    ),
)
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='rsmm.EuroSAT',
        data_root=data_root,
        bands='rgb',
        split='train',
        pipeline=[dict(type='rsmm.LoadRaster'), dict(type='rsmm.PackRaster')],
    ),
)
train_cfg = dict(by_epoch=True, max_epochs=1)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01))
"""


def test_mmpretrain(chips, tmp_path):  # noqa: F811
    path = tmp_path / 'mine.py'
    path.write_text(CONFIG.format(root=chips))
    runner = run.train(path, work_dir=tmp_path / 'w')
    assert runner.epoch == 1
    assert {type(hook).__name__ for hook in runner.hooks} >= {
        'RandomStateHook',
        'ReduceLossHook',
        'RunSummaryHook',
    }
