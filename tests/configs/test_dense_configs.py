"""Every change and segmentation config builds, takes a step and predicts on toy data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from PIL import Image

from rsmm.apis.config import load_config, model_settings
from rsmm.engine.runner import Runner
from rsmm.registry import METRICS, MODELS
from rsmm.toy import get_writer

CONFIGS = Path(__file__).parents[2] / 'configs'
ALL = [
    pytest.param(
        path,
        id=path.stem,
        marks=pytest.mark.slow if 'resnet50' in path.name or 'mit' in path.name else (),
    )
    for folder in ('oscd', 'pastis', 'gid', 'levir')
    for path in sorted((CONFIGS / folder).glob('*.py'))
]
SIZES = {
    'oscd': dict(train=4, test=1, size=72),
    'pastis': dict(patches=10, dates=3, size=32),
    'gid': dict(scenes=5, size=64),
}


@pytest.fixture(scope='module')
def toy(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('toy')
    for name, settings in SIZES.items():
        get_writer(name)(root / name, **settings)
    rng = np.random.default_rng(0)
    for split in ('train', 'val', 'test'):
        for number in range(4):
            for folder in ('A', 'B', 'label'):
                path = root / 'levir' / split / folder / f'{number}.png'
                path.parent.mkdir(parents=True, exist_ok=True)
                values = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
                Image.fromarray(values if folder != 'label' else values[..., 0] // 250 * 255).save(
                    path
                )
    return root


def small(path: Path, toy: Path):
    """The config on the toy data in batches of two; everything else as it stands."""
    task = path.parent.name
    config = load_config(path, {'data_root': str(toy / task)})
    for phase in ('train', 'val', 'test'):
        loader = config[f'{phase}_dataloader']
        loader.update(num_workers=0, batch_size=min(2, loader.batch_size))
        data = loader.dataset
        data.data_root = str(toy / task)
        if task == 'oscd':
            cities = ('nantes',)
            data.update(exclude=cities if phase == 'train' else (), include=None)
            if phase == 'val' and data.split == 'train':
                data.include = cities
        if 'tile' in data and data.tile:
            data.tile = data.stride = 32
        for step in data.pipeline:
            if step['type'] in ('PadMap', 'RandomCropMap'):
                step['size'] = 32
    return config


@pytest.mark.parametrize('path', ALL)
def test_config_takes_a_step_and_predicts(path: Path, toy: Path) -> None:
    config = small(path, toy)
    config = config if 'gid15' not in path.name else _as_gid5(config)
    init_default_scope('rsmm')
    torch.manual_seed(0)
    loader = Runner.build_dataloader(config.train_dataloader, seed=0)
    model = MODELS.build(model_settings(config)).train()
    data = model.data_preprocessor(next(iter(loader)), True)
    losses = model(**data, mode='loss')
    loss = sum(losses.values())
    loss.backward()
    assert torch.isfinite(loss)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert all(parameter.grad is not None for parameter in trained)
    for part in getattr(model, 'members', [model]):
        if part.frozen:
            assert all(parameter.grad is None for parameter in part.backbone.parameters())
    test = Runner.build_dataloader(config.test_dataloader, seed=0)
    metric = METRICS.build(config.test_evaluator)
    metric.dataset_meta = test.dataset.metainfo
    model.eval()
    with torch.no_grad():
        samples = model(**model.data_preprocessor(next(iter(test))), mode='predict')
    for sample in samples:
        assert sample.pred_sem_seg.data.shape == sample.gt_sem_seg.data.shape
    metric.process({}, [sample.to_dict() for sample in samples])
    assert all(np.isfinite(value) for value in metric.evaluate(len(samples)).values())


def _as_gid5(config):
    """The toy world has five classes; sixteen outputs take their labels as well."""
    for phase in ('train', 'val', 'test'):
        config[f'{phase}_dataloader'].dataset.num_classes = 5
    config.test_evaluator = dict(type='SegMetric', void=(0,))
    config.model.decode_head.num_classes = 6
    return config


def test_small_data_config_tests_what_it_was_not_trained_on(toy: Path) -> None:
    path = CONFIGS / 'oscd/small-data_ensemble_16e_oscd-rgb.py'
    config = load_config(path, {'data_root': str(toy / 'oscd')})
    init_default_scope('rsmm')
    test = Runner.build_dataloader({**config.test_dataloader, 'num_workers': 0}, seed=0)
    names = {info['name'] for info in test.dataset.load_data_list()}
    assert names == {'brasilia'}  # the toy set's other cities are on the training list
    assert not names & set(config.train_dataloader.dataset.include)


def test_the_cities_left_out_are_in_the_toy_copy() -> None:
    """Otherwise the benchmark's column of OSCD fails on ToyEarth."""
    from rsmm.datasets.oscd import CITIES

    config = load_config(CONFIGS / 'oscd/seco_resnet18_100e_oscd-rgb.py')
    assert set(config.val_dataloader.dataset.include) <= set(CITIES['train'][:6])
