"""Pair contrast: what it computes, and the published configs for a step."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from rsmm.apis import build_model, load_config, run
from rsmm.errors import ConfigError
from rsmm.models.losses.functional import masked_pool, nt_xent

OURS = 'configs/ripples/ripples_resnet18_ours_20e.py'
MODES = ('ours', 'nochange', 'notime', 'fulldata', 'eurosat', 'eurosat-crops')


def samples(weights):
    return [SimpleNamespace(event_weights=row) for row in weights]


@pytest.fixture(scope='module')
def model(repo_root):
    torch.manual_seed(0)
    return build_model(repo_root / OURS, 'random')


def test_published_backbone(model):
    assert sum(p.numel() for p in model.backbone.parameters()) == 2_782_784
    assert model.backbone(torch.zeros(1, 3, 112, 112))[0].shape == (1, 256, 7, 7)
    assert model.neck(torch.zeros(1, 512)).shape == (1, 64)


@pytest.mark.parametrize('joint', [False, True])
def test_loss_is_nt_xent_of_masked_pairs(model, joint):
    inputs = list(torch.randn(4, 3, 3, 112, 112))
    weights = torch.rand(3, 2, 7, 7)
    model.joint = joint
    with torch.no_grad():
        found = model.loss(inputs, samples(weights))['loss']
        maps = [model.backbone(images)[0] for images in inputs]
        pairs = [
            torch.cat([masked_pool(maps[2 * k], weights[:, k]),
                       masked_pool(maps[2 * k + 1], weights[:, k])], dim=1)
            for k in range(2)
        ]  # fmt: skip
        expected = nt_xent(model.neck(pairs[0]), model.neck(pairs[1]), 0.07).mean()
    model.joint = False
    torch.testing.assert_close(found, expected)


def test_a_pair_with_itself_goes_through_once(model):
    views, weights = list(torch.randn(2, 3, 3, 112, 112)), samples(torch.rand(3, 2, 7, 7))
    twice = [views[0], views[0], views[1], views[1]]
    with torch.no_grad():
        torch.testing.assert_close(model.loss(views, weights), model.loss(twice, weights))


def test_bad_batches(model):
    weights = samples(torch.rand(2, 2, 7, 7))
    with pytest.raises(ConfigError, match='found 3 images'):
        model.loss([torch.zeros(2, 3, 112, 112)] * 3, weights)
    with pytest.raises(ConfigError, match='cells'):
        model.loss([torch.zeros(2, 3, 96, 96)] * 4, weights)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Events, a cell and a folder of chips, of noise."""
    root, rng = tmp_path_factory.mktemp('ripples'), np.random.default_rng(0)

    def noise(path, side=48, mask=False):
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = (side, side) if mask else (side, side, 3)
        values = rng.integers(0, 2, shape) * 255 if mask else rng.integers(0, 255, shape)
        Image.fromarray(values.astype(np.uint8)).save(path)

    for event in range(4):
        for t in range(2):
            noise(root / f'events/c_{event:05d}/{t:02d}_img.png')
        noise(root / f'events/c_{event:05d}/00_mask.png', mask=True)
    for month in range(5):
        noise(root / f'cells/3005_3175/bbox31750_30050_2018_{month:02d}.jpg', 130)
    for chip in range(4):
        noise(root / f'chips/River/River_{chip}.jpg', 64)
    return root


@pytest.mark.parametrize('mode', MODES)
def test_every_mode_takes_a_step(repo_root, data, mode, tmp_path):
    places = {'fulldata': 'cells', 'eurosat': 'chips', 'eurosat-crops': 'chips'}
    options = {
        'data_root': str(data / places.get(mode, 'events')),
        'batch_size': 4,
        'num_workers': 0,
        'epochs': 1,
        'model.backbone.base_channels': 4,
        'model.backbone.stem_channels': 4,
    }
    config = repo_root / f'configs/ripples/ripples_resnet18_{mode}_20e.py'
    runner = run.train(config, work_dir=tmp_path, options=options)
    assert runner.iter == 1
    assert all(torch.isfinite(p).all() for p in runner.model.parameters())


def test_rates_of_the_published_schedule(repo_root):
    config = load_config(repo_root / OURS)
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=config.optim_wrapper.optimizer.lr)
    schedule = torch.optim.lr_scheduler.StepLR(
        optimizer, config.param_scheduler.step_size, config.param_scheduler.gamma
    )
    rates = []
    for _ in range(config.train_cfg.max_epochs):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        schedule.step()
    expected = [1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5]
    assert [rates[k] for k in (0, 6, 7, 13, 14, 19)] == pytest.approx(expected)
