"""The configs for one's own folders train, validate and keep their best weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from rsmm.apis import train
from rsmm.apis.config import load_config
from rsmm.datasets.classes import CLASSES
from rsmm.toy import get_writer
from rsmm.toy.aerial import CLASSES as OBJECTS

CONFIGS = Path(__file__).parents[2] / 'configs/own'
BANDS = ['B02', 'B03', 'B04', 'B08']
#: Folder, variables of a child config beside it, metric of the best checkpoint.
CASES = {
    'unet_resnet18_50e_maps': (
        'maps', dict(tile=64, bands=BANDS, stats='eurosat', classes=CLASSES['own']), 'seg/miou',
    ),
    'fc-siam-diff_50e_pairs': ('pairs', dict(crop=64, bands=BANDS, stats='eurosat'), 'change/f1'),
    'resnet18_20e_classes': (
        'classes', dict(bands=BANDS, stats='eurosat', num_classes=3), 'accuracy/top1',
    ),
    'utae_100e_stacks': ('stacks', dict(tile=32, classes=CLASSES['own']), 'seg/miou'),
    'faster-rcnn_r18_12e_boxes': ('boxes', dict(classes=OBJECTS, num_classes=5), 'coco/bbox_mAP'),
}  # fmt: skip


@pytest.fixture(scope='module')
def own(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('own') / 'own'
    get_writer('own')(root, scenes=5, size=64)
    get_writer('aerial')(root / 'boxes', images=4, size=128)
    return root


def child(name: str, folder: Path, settings: dict, where: Path) -> Path:
    """A config as a user writes it: one line per variable."""
    lines = [f'_base_ = {str(CONFIGS / name) + ".py"!r}', f'data_root = {str(folder)!r}']
    lines += [f'{key} = {value!r}' for key, value in settings.items()]
    where.write_text('\n'.join(lines) + '\n')
    return where


def test_every_config_has_a_case() -> None:
    assert {path.stem for path in CONFIGS.glob('*.py')} == set(CASES)


@pytest.mark.parametrize('name', CASES)
def test_a_child_of_single_lines_trains(name: str, own: Path, tmp_path: Path) -> None:
    folder, settings, metric = CASES[name]
    short = {'epochs': 1, 'num_workers': 0, 'batch_size': 2, **settings}
    config = load_config(child(name, own / folder, short, tmp_path / 'mine.py'))
    config.train_cfg.val_interval = 1
    for phase in ('train', 'val'):
        dataset = config[f'{phase}_dataloader'].dataset
        assert dataset.data_root == str(own / folder)
    runner = train(config, work_dir=str(tmp_path / 'run'))
    assert runner.iter >= 1
    best = list((tmp_path / 'run').glob(f'best_{metric.replace("/", "_")}*.pth'))
    assert len(best) == 1


@pytest.mark.parametrize('name', ['unet_resnet18_50e_maps', 'resnet18_20e_classes'])
def test_num_classes_is_one_line(name: str, own: Path, tmp_path: Path) -> None:
    config = load_config(child(name, own, {'num_classes': 7}, tmp_path / 'mine.py'))
    head = config.model.decode_head if 'decode_head' in config.model else config.model.head
    assert head.num_classes == 7
    for phase in ('train', 'val', 'test'):
        assert config[f'{phase}_dataloader'].dataset.num_classes == 7
