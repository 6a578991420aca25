"""Dense contrast (SSNet): parts by hand, views that stay aligned, configs, and its use."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rsmm.apis import build_model, load_config, run
from rsmm.datasets.change_events import SeriesPairs
from rsmm.datasets.transforms.dense_views import DenseViews
from rsmm.errors import ConfigError, DataError
from rsmm.models.losses.functional import dense_nt_xent
from rsmm.models.necks.ssnet import SSNetNeck
from rsmm.models.selfsup.dense_contrast import DenseContrast, move_maps, sub_maps
from rsmm.registry import MODELS
from rsmm.studies.discover import run_discovery
from rsmm.studies.discover_features import load_features
from rsmm.toy.writers.series import write_series

VARIANTS = {'largest': (4, 512), 'small': (4, 128), 'finer': (2, 128)}
#: Stride of the features, and channels of the deepest map that goes in.


def config_of(repo_root, variant):
    return repo_root / f'configs/ripples/ssnet_resnet18_{variant}_20e.py'


def test_neck_by_hand():
    torch.manual_seed(0)
    neck = SSNetNeck([2, 3], out_channels=4)
    fine, coarse = torch.randn(1, 2, 6, 4), torch.randn(1, 3, 3, 2)
    total = neck.laterals[0](fine) + neck.laterals[1](coarse).repeat_interleave(
        2, dim=2
    ).repeat_interleave(2, dim=3)
    expected = F.conv2d(total, neck.smooth.weight, neck.smooth.bias, padding=1)
    torch.testing.assert_close(neck((fine, coarse))[0], expected)
    assert (neck((fine, coarse))[0] < 0).any()  # no ReLU at its end
    with pytest.raises(ConfigError, match='1 maps for 2 widths'):
        neck((fine,))
    with pytest.raises(ConfigError, match='width of each map'):
        SSNetNeck([])


@pytest.mark.parametrize('variant', VARIANTS)
def test_variants(repo_root, variant):
    stride, deepest = VARIANTS[variant]
    model = build_model(config_of(repo_root, variant), 'random', options={'pretrained': None})
    found = model.neck(model.backbone(torch.zeros(1, 3, 64, 64)))[0]
    assert found.shape == (1, 128, 64 // stride, 64 // stride)
    assert model.projector(found).shape[1] == 64
    assert model.neck.laterals[-1].in_channels == deepest
    keys = set(model.backbone.state_dict())
    assert keys <= set(MODELS.build(dict(type='mmpretrain.ResNet', depth=18)).state_dict())


@pytest.mark.parametrize('side', [48, 64])
@pytest.mark.parametrize('seed', range(4))
def test_the_map_of_the_second_view_moves_onto_the_first(side, seed):
    rng = np.random.default_rng(seed)
    small = rng.random((6, 6, 5)).astype(np.float32)
    image = F.interpolate(torch.tensor(small).permute(2, 0, 1)[None], (side, side), mode='bicubic')
    image = image[0].permute(1, 2, 0).numpy()
    np.random.seed(seed)
    results = DenseViews()({'img': image[:, :, None], 'img_path': 'x'})
    first, second = (torch.tensor(view).permute(2, 0, 1)[None] for view in results['img'])
    matrix = torch.tensor(results['view_matrix'])[None]
    assert results['view_matrix'].dtype == np.float32
    torch.testing.assert_close(move_maps(second, matrix), first, atol=0.02, rtol=0)
    # The matrix holds at any stride: maps averaged over 2 x 2 pixels move alike.
    coarse = move_maps(F.avg_pool2d(second, 2), matrix)
    torch.testing.assert_close(coarse, F.avg_pool2d(first, 2), atol=0.06, rtol=0)
    ones = torch.ones(1, 1, side, side)
    assert move_maps(ones, matrix)[..., 1:-1, 1:-1].min() > 0.999  # nothing from beyond the edge


def test_reference_crop_reaches_beyond_the_image():
    image = np.ones((256, 256, 1, 3), np.float32)
    empty = {'inside': 0, 'reference': 0}
    for crop in empty:
        for seed in range(20):
            np.random.seed(seed)
            view = DenseViews(crop=crop)({'img': image, 'img_path': 'x'})['img'][0]
            empty[crop] += int((view[2:-2, 2:-2] == 0).any())
    assert empty['inside'] == 0 < empty['reference']


def test_views_of_two_dates_and_what_is_refused():
    dates = np.stack([np.full((32, 32, 3), value, np.uint8) for value in (10, 90)], axis=2)
    first, second = DenseViews()({'img': dates})['img']
    assert set(np.unique(first)) == {10}
    assert set(np.unique(second)) == {90}
    with pytest.raises(DataError, match='no square'):
        DenseViews()({'img': dates[:20], 'img_path': 'x'})
    for options in (dict(sides=(0.5, 0.8)), dict(sides=(0, 0.5)), dict(crop='outside')):
        with pytest.raises(ConfigError, match='DenseViews'):
            DenseViews(**options)


def test_sub_maps():
    maps = torch.arange(2 * 3 * 4 * 8.0).view(2, 3, 4, 8)
    parts = sub_maps(maps, 2)
    assert parts.shape == (8, 3, 2, 4)
    for image in range(2):
        for row in range(2):
            for column in range(2):
                expected = maps[image, :, 2 * row : 2 * row + 2, 4 * column : 4 * column + 4]
                torch.testing.assert_close(parts[4 * image + 2 * row + column], expected)
    with pytest.raises(ConfigError, match='4x8 cells'):
        sub_maps(maps, 3)


@pytest.fixture(scope='module')
def model(repo_root):
    torch.manual_seed(0)
    options = {'pretrained': None, 'model.keep': 1.0, 'model.backbone.base_channels': 8,
               'model.backbone.stem_channels': 8}  # fmt: skip
    return build_model(config_of(repo_root, 'finer'), 'random', options=options)


def samples(count):
    turned = torch.tensor([[0.0, -0.6, 0.1], [0.6, 0.0, 0.0]])
    return [SimpleNamespace(view_matrix=turned) for _ in range(count)]


def test_loss_by_hand(model):
    views = list(torch.randn(2, 2, 3, 64, 64))
    with torch.no_grad():
        found = model.loss(views, samples(2))['loss']
        first, second = (model.projector(model.neck(model.backbone(view))[0]) for view in views)
        moved = move_maps(second, torch.stack([s.view_matrix for s in samples(2)]))
        parts = [
            torch.cat([rows for part in maps.chunk(4, 2) for rows in part.chunk(4, 3)])
            for maps in (first, moved)
        ]
        torch.testing.assert_close(found, dense_nt_xent(*parts, 0.07))


def test_bad_batches_and_settings(model):
    with pytest.raises(ConfigError, match='found 4'):
        model.loss([torch.zeros(1, 3, 64, 64)] * 4, samples(1))
    with pytest.raises(ConfigError, match='equal parts'):
        model.loss([torch.zeros(1, 3, 60, 60)] * 2, samples(1))
    for options in (dict(temperature=0), dict(grid=0), dict(keep=0), dict(sampling='cubic')):
        with pytest.raises(ConfigError, match='DenseContrast'):
            DenseContrast({}, {}, {}, **options)


@pytest.fixture(scope='module')
def cells(tmp_path_factory):
    out = tmp_path_factory.mktemp('toy') / 'cells'
    write_series(out, seed=2, cells=2, static_cells=0, months=8, size=96, events=1, clouds=0)
    return out


def test_single_dates_by_cell(cells):
    dates = SeriesPairs(str(cells), use_time=False, max_dates=5)
    assert [len(items) for items in dates.place_items] == [5, 5]
    assert all(len(set(dates[k]['date_files'])) == 1 for k in range(10))
    with pytest.raises(DataError, match='no cell has 9 dates'):
        SeriesPairs(str(cells), min_dates=9)


@pytest.mark.parametrize('variant', VARIANTS)
def test_variant_trains_and_serves_discovery(repo_root, cells, variant, tmp_path):
    options = {
        'data_root': str(cells),
        'pretrained': None,
        'batch_size': 2,
        'num_workers': 0,
        'epochs': 1,
        'min_dates': 1,
        'max_dates': 2,
        'window': 64,
        'model.backbone.base_channels': 4,
        'model.backbone.stem_channels': 4,
    }
    config = config_of(repo_root, variant)
    runner = run.train(config, work_dir=tmp_path / 'run', options=options)
    assert runner.iter == 2
    assert all(torch.isfinite(p).all() for p in runner.model.parameters())
    trained = next((tmp_path / 'run').glob('2*/vis_data/config.py'), None) or next(
        (tmp_path / 'run').glob('*.py')
    )
    extract = load_features(str(trained), str(tmp_path / 'run/epoch_1.pth'))
    frames = np.random.default_rng(0).random((1, 3, 64, 64), dtype=np.float32)
    assert extract(frames).shape == (1, 128, *[64 // VARIANTS[variant][0]] * 2)
    if variant == 'finer':
        out = tmp_path / 'out'
        found = run_discovery(cells, out, str(trained), str(tmp_path / 'run/epoch_1.pth'))
        assert found['cells'] == 2
        assert (out / 'events.csv').is_file()


def test_published_settings(repo_root):
    config = load_config(config_of(repo_root, 'finer'))
    assert config.model.backbone.init_cfg.checkpoint == 'torchvision://resnet18'
    assert (config.model.temperature, config.model.grid, config.model.keep) == (0.07, 4, 0.25)
    assert config.optim_wrapper.optimizer == dict(type='SGD', lr=1e-3, momentum=0.9)
    assert config.train_dataloader.batch_size == 4
    assert config.train_dataloader.dataset.min_dates == 60
