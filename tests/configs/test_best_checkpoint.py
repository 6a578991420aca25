"""Every experiment of a task keeps the weights that validated best."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

CONFIGS = Path(__file__).parents[2] / 'configs'
#: Evaluator to the metric that it gives and that chooses; higher is better.
METRICS = {
    'SegMetric': 'seg/miou',
    'ChangeMetric': 'change/f1',
    'mmpretrain.Accuracy': 'accuracy/top1',
    'mmdet.CocoMetric': 'coco/bbox_mAP',
}
TASKS = ('deformable_detr', 'eurosat', 'faster_rcnn', 'gid', 'levir', 'oscd', 'own', 'pastis')
ALL = [
    pytest.param(path, id=f'{task}/{path.stem}')
    for task in TASKS
    for path in sorted((CONFIGS / task).glob('*.py'))
]


@pytest.mark.parametrize('path', ALL)
def test_the_best_weights_are_kept(path: Path) -> None:
    config = Config.fromfile(path)
    if config.get('train_cfg') is None:
        pytest.skip('nothing is trained')
    hook = config.default_hooks.checkpoint
    assert hook.save_best == METRICS[config.val_evaluator.type]
    assert hook.rule == 'greater'
