"""Every config of the urban-features chain builds and takes a step on toy data."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from mmengine.registry import init_default_scope

from rsmm.apis.config import SETTINGS, load_config, model_settings
from rsmm.apis.variables import read_sources
from rsmm.engine.runner import Runner
from rsmm.registry import MODELS
from rsmm.toy.writers.aerial import write_aerial, write_urban_tiles
from rsmm.toy.writers.eurosat import write_eurosat

CONFIGS = Path(__file__).parents[2] / 'configs'


@pytest.fixture(scope='module')
def aerial(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp('toy') / 'aerial'
    write_aerial(out, images=6, size=128)
    return out


@pytest.fixture(scope='module')
def tiles(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp('toy') / 'urban'
    write_urban_tiles(out, tiles_per_city=6)
    return out


@pytest.fixture(scope='module')
def chips(tmp_path_factory) -> Path:
    """Ten chips of 13 bands."""
    out = tmp_path_factory.mktemp('toy') / 'eurosat'
    write_eurosat(out, chips_per_class=1, products=('ms',))
    return out / 'tif'


def paths(folder: str) -> list:
    slow = ('r50', 'resnet50', 'base')
    return [
        pytest.param(p, id=p.stem, marks=pytest.mark.slow if any(s in p.name for s in slow) else ())
        for p in sorted((CONFIGS / folder).glob('*.py'))
    ]


FOLDERS = ('swav', 'mae', 'detreg', 'deformable_detr', 'faster_rcnn')


@pytest.mark.parametrize(
    'path', [p for f in FOLDERS for p in sorted((CONFIGS / f).glob('*.py'))], ids=lambda p: p.stem
)
def test_every_setting_takes_effect(path: Path) -> None:
    """A value that a config sets anew must reach whatever its bases made of the old one.

    mmengine resolves variables file by file: ``scale = (256, 256)`` alone would leave a pipeline of
    the base at the base's scale.
    """
    config, sources = read_sources(path)
    inherited = {name for name in sources.names() if len(sources.setting(name)) > 1}
    for name in sorted(inherited - SETTINGS):
        value = config.to_dict()[name]
        if value is None or not isinstance(value, str | int | float | tuple):
            continue  # switches of optional parts, None in the bases as well
        again = load_config(path, {name: value}).to_dict()
        differing = [key for key in SETTINGS if config.to_dict().get(key) != again.get(key)]
        assert not differing, f'{name} does not reach {differing}'


def one_step(config) -> dict[str, torch.Tensor]:
    """Losses of one batch, after a backward pass that reaches every trainable parameter."""
    init_default_scope('rsmm')
    torch.manual_seed(0)
    loader = Runner.build_dataloader(config.train_dataloader, seed=0)
    model = MODELS.build(copy.deepcopy(model_settings(config)))
    model.init_weights()
    model.train()
    data = model.data_preprocessor(next(iter(loader)), True)
    total, losses = model.parse_losses(model(**data, mode='loss'))
    total.backward()
    assert torch.isfinite(total)
    without = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert not without
    return losses


@pytest.mark.parametrize('path', paths('swav'))
def test_swav(path: Path, tiles: Path, chips: Path) -> None:
    root = chips if 'eurosat-ms' in path.stem else tiles / 'tiles'
    config = load_config(path, {'data_root': str(root)})
    config.train_dataloader.update(batch_size=4, num_workers=0)
    losses = one_step(config)
    uniform = torch.tensor(float(config.model.head.loss.num_prototypes)).log()
    assert 0.5 * uniform < losses['loss'] < 2 * uniform


def test_crops_of_thirteen_bands(chips: Path) -> None:
    """Crops of both sizes keep all bands and the stored dtype, and differ from each other."""
    options = {'data_root': str(chips), 'num_workers': 0}
    config = load_config(CONFIGS / 'swav/swav_resnet18_50e_eurosat-ms.py', options)
    config.train_dataloader.batch_size = 2
    views = next(iter(Runner.build_dataloader(config.train_dataloader, seed=0)))['inputs']
    assert [tuple(view.shape) for view in views] == [(2, 13, 64, 64)] * 2 + [(2, 13, 32, 32)] * 4
    assert all(view.dtype == torch.uint16 for view in views)
    assert not views[0].equal(views[1])
    normalised = MODELS.build(config.model.data_preprocessor)({'inputs': views})['inputs']
    spread = torch.stack([view.mean((0, 2, 3)) for view in normalised]).abs()
    assert spread.max() < 5  # in standard deviations of each band


@pytest.mark.parametrize('path', paths('mae'))
def test_mae(path: Path, tiles: Path, chips: Path) -> None:
    if 'faster-rcnn' in path.name:
        pytest.skip('a detector: see test_detectors')
    root = chips if 'eurosat-ms' in path.stem else tiles / 'tiles'
    config = load_config(path, {'data_root': str(root)})
    config.train_dataloader.update(batch_size=2, num_workers=0)
    one_step(config)


@pytest.mark.parametrize('path', paths('detreg'))
def test_detreg(path: Path, aerial: Path, tmp_path: Path) -> None:
    options = {'data_root': str(aerial / 'images'), 'cache_dir': str(tmp_path)}
    config = load_config(path, options)
    config.train_dataloader.update(batch_size=2, num_workers=0)
    losses = one_step(config)
    assert losses['loss_embedding'] > 0
    assert any(tmp_path.rglob('*.npz'))


@pytest.mark.parametrize('path', [*paths('deformable_detr'), *paths('faster_rcnn')])
def test_detectors(path: Path, aerial: Path) -> None:
    config = load_config(path)
    for part in ('train', 'val'):
        loader = config[f'{part}_dataloader']
        loader.num_workers = 0
        loader.dataset = dict(
            type='DOTA',
            data_root=str(aerial),
            pipeline=loader.dataset.pipeline,
            test_mode=part == 'val',
        )
    for step in config.train_dataloader.dataset.pipeline:
        if step['type'] == 'mmdet.Resize':
            step['scale'] = (128, 128)
    config.train_dataloader.batch_size = 2
    if 'num_classes' in config.model.get('bbox_head', {}):
        config.model.bbox_head.num_classes = 16
    else:
        config.model.roi_head.bbox_head.num_classes = 16
    one_step(config)
    loader = Runner.build_dataloader(config.val_dataloader, seed=0)
    model = MODELS.build(copy.deepcopy(config.model)).eval()
    batch = next(iter(loader))
    with torch.no_grad():
        found = model.test_step(batch)[0].pred_instances
    assert found.bboxes.shape[1] == 4
    assert len(found) <= config.max_per_img
