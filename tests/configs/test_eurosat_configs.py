"""Every EuroSAT config trains a step, or is tested where it trains nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from rsmm.apis import run
from rsmm.apis.config import load_config
from tests.datasets.chips import s2_chip, write_jpg_chips, write_tif

CONFIGS = Path(__file__).parents[2] / 'configs'
RUNS = [
    pytest.param(path, id=path.stem, marks=pytest.mark.slow if 'resnet50' in path.name else ())
    for pattern in ('eurosat/*.py', 'simclr/*.py', 'quickstart/*.py', 'moco/*eurosat*.py')
    for path in sorted(CONFIGS.glob(pattern))
]


@pytest.fixture(scope='module')
def chips(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('eurosat')
    write_jpg_chips(root, per_class=4)
    for name in (entry.name for entry in (root / '2750').iterdir()):
        for number in range(1, 5):
            write_tif(root / 'tif' / name / f'{name}_{number}.tif', s2_chip(number))
    return root


@pytest.mark.parametrize('path', RUNS)
def test_config_runs(path: Path, chips: Path, tmp_path: Path) -> None:
    config = load_config(path, dict(data_root=str(chips), num_workers=0))
    for phase in ('train', 'val', 'test'):
        config[f'{phase}_dataloader'].update(batch_size=4)
        config[f'{phase}_dataloader'].dataset.pop('fractions', None)  # of four chips a class
    if config.get('train_cfg') is None:
        assert 0 <= run.test(config, 'random', work_dir=tmp_path)['accuracy/top1'] <= 100
        return
    config.train_cfg.max_epochs = 1
    config.train_dataloader.dataset.indices = 8
    config.param_scheduler = None
    runner = run.train(config, work_dir=tmp_path)
    assert runner.iter == 2
    assert (tmp_path / 'epoch_1.pth').exists()
