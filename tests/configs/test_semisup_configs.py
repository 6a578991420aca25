"""Every semi-supervised config takes a step and predicts; the matrix of cells is complete."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
import torch
from mmengine.registry import init_default_scope
from pyproj import CRS

from rsmm.apis import run
from rsmm.apis.config import load_config
from rsmm.datasets.bigearthnet_lists import list_folder, write_list
from rsmm.datasets.bigearthnet_ssl import read_metadata
from rsmm.datasets.classes import CLASSES
from rsmm.engine.runner import Runner
from rsmm.registry import METRICS, MODELS
from tests.datasets.chips import write_jpg_chips

CONFIGS = Path(__file__).parents[2] / 'configs/semisup'
ALL = sorted(CONFIGS.glob('*.py'))
EUROSAT = [path for path in ALL if 'eurosat' in path.name]
BIGEARTHNET = [path for path in ALL if 'ben43' in path.name]
PAIRS = ('fixmatch', 'defixmatch', 'freematch', 'softmatch', 'udal', 'cap', 'cdmad')
CHIPS = 16


@pytest.fixture(scope='module')
def eurosat(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('eurosat')
    write_jpg_chips(root, per_class=CHIPS)
    stems = [f'{name}_{i}' for name in CLASSES['eurosat'] for i in range(1, CHIPS + 1)]
    places = dict(image_id=stems, lat=np.linspace(36, 60, len(stems)), lon=10.0)
    pd.DataFrame(places).to_parquet(root / 'eurosat_metadata.parquet')
    return root


@pytest.fixture(scope='module')
def bigearthnet(tmp_path_factory) -> Path:
    """Eight patches and the lists of all shares, each naming all of them."""
    root = tmp_path_factory.mktemp('ben') / 'patches'
    rng = np.random.default_rng(0)
    for number in range(8):
        name = f'S2A_1_{number}'
        (root / name).mkdir(parents=True)
        for band in ('B02', 'B03', 'B04'):
            with rasterio.open(
                root / name / f'{name}_{band}.tif', 'w', driver='GTiff', height=120, width=120,
                count=1, dtype='uint16', crs='EPSG:32633',
                transform=rasterio.Affine(10, 0, 6e5, 0, -10, 52e5),
            ) as file:  # fmt: skip
                file.write(rng.integers(100, 2000, (1, 120, 120), dtype=np.uint16))
        about = {
            'labels': list(rng.choice(CLASSES['bigearthnet-43'], 3, replace=False)),
            'coordinates': {'ulx': 6e5, 'uly': 52e5, 'lrx': 6e5 + 1200, 'lry': 52e5 - 1200},
            'projection': CRS.from_epsg(32633).to_wkt('WKT1_GDAL'),
            'tile_source': 'S2A.SAFE',
            'acquisition_date': '2017-06-13 10:10:31',
        }
        (root / name / f'{name}_labels_metadata.json').write_text(json.dumps(about))
    lists = root.parent / 'lists'
    lists.mkdir()
    list_folder(root, lists / 'val.csv')
    list_folder(root, lists / 'test.csv')
    names = [f'S2A_1_{number}' for number in range(8)]
    rows = [
        {'patch': name, **read_metadata(root / name / f'{name}_labels_metadata.json')}
        for name in names
    ]
    for share in ('0.005', '0.01', '0.02', '0.04', '0.08'):
        write_list(lists / f'train{share}_lb_43.csv', rows[:4])
        write_list(lists / f'train{share}_ulb_43.csv', rows)
    return root.parent


def step_and_predict(config, rows: tuple[int, int]) -> dict[str, float]:
    """Take a step on ``rows`` labelled and unlabelled rows, then test on a batch."""
    train = config.train_dataloader
    unlabelled = rows[1] if train.sampler.unlabelled else 0
    train.update(num_workers=0, batch_size=rows[0] + unlabelled)
    train.sampler.update(labelled=rows[0], unlabelled=unlabelled)
    if config.model.backbone.type == 'ViTExtraToken':
        config.model.backbone.arch = dict(
            embed_dims=32, num_layers=2, num_heads=2, feedforward_channels=64
        )
        config.model.head.in_channels = 32
    init_default_scope('rsmm')
    torch.manual_seed(0)
    loader = Runner.build_dataloader(train, seed=0)
    model = MODELS.build({'data_preprocessor': config.data_preprocessor, **config.model}).train()
    counts = loader.dataset.label_counts().double()
    many = model.rule.multi_label
    model.rule.prepare(
        num_labelled=loader.dataset.sizes[0],
        num_unlabelled=loader.dataset.sizes[1],
        class_frequency=(counts / (loader.dataset.sizes[0] if many else counts.sum())).float(),
        max_iters=100,
    )
    losses = model(**model.data_preprocessor(next(iter(loader)), True), mode='loss')
    loss = sum(value for name, value in losses.items() if 'loss' in name)
    loss.backward()
    assert torch.isfinite(loss)
    assert sum(p.grad is not None and bool(p.grad.any()) for p in model.parameters()) > 5
    test = Runner.build_dataloader({**config.test_dataloader, 'num_workers': 0}, seed=0)
    metric = METRICS.build(config.test_evaluator)
    metric.dataset_meta = test.dataset.metainfo
    with torch.no_grad():
        batch = next(iter(test))
        samples = model.eval()(**model.data_preprocessor(batch), mode='predict')
    metric.process({}, [sample.to_dict() for sample in samples])
    return metric.evaluate(len(samples))


@pytest.mark.parametrize('path', EUROSAT, ids=lambda path: path.stem)
def test_eurosat_config_takes_a_step(path: Path, eurosat: Path) -> None:
    config = load_config(path, {'data_root': str(eurosat)})
    assert 0 <= step_and_predict(config, (4, 4))['accuracy/top1'] <= 100


@pytest.mark.parametrize('path', BIGEARTHNET, ids=lambda path: path.stem)
def test_bigearthnet_config_takes_a_step(path: Path, bigearthnet: Path) -> None:
    options = {
        'data_root': str(bigearthnet / 'patches'),
        'lists': str(bigearthnet / 'lists'),
        'exclude_files': [],
    }
    scores = step_and_predict(load_config(path, options), (2, 4))
    assert all(np.isfinite(value) for value in scores.values())


def test_matrix_of_published_cells() -> None:
    names = {path.stem for path in ALL}
    cells = {
        f'{method}_vit-small-p16_64k_ben43-{share}pct'
        for share in ('0.5', '1', '2', '4', '8')
        for method in ('supervised', 'fixmatch', 'st-fixmatch')
    }
    cells |= {f'{st}{m}_vit-small-p16_64k_ben43-1pct' for m in PAIRS for st in ('', 'st-')}
    assert len(cells) == 27
    eurosat = {
        f'{method}_vit-small-p2_205k_eurosat-{labels}lb'
        for labels in (10, 20, 40, 80)
        for method in ('supervised', 'fixmatch', 'st-fixmatch')
    }
    assert cells | eurosat <= names
    narrow = ('supervised', 'fixmatch', 'freematch', 'softmatch', 'st-fixmatch')
    assert names - cells - eurosat == {
        f'{method}_lite0-trunk_eurosat-{labels}lb_2core' for labels in (40, 80) for method in narrow
    }


def test_two_core_cells_differ_in_rule_and_labels_alone() -> None:
    """Same network, start, views, rate and steps, so that a gain is the rule's."""
    cells = [load_config(path) for path in ALL if path.stem.endswith('_2core')]
    first = cells[0]
    assert Path(first.model.backbone.network.init_cfg.checkpoint).is_file()
    for cell in cells:
        for key in ('backbone', 'head'):
            assert cell.model[key] == first.model[key]
        for key in ('optim_wrapper', 'param_scheduler', 'train_cfg', 'data_preprocessor'):
            assert cell[key] == first[key]
        hooks = [hook['type'] for hook in cell.custom_hooks]
        assert hooks == ['SemiSupervisedHook', 'AveragedWeightsHook']


@pytest.mark.parametrize('path', ALL, ids=lambda path: path.stem)
def test_a_cell_states_what_differs(path: Path) -> None:
    root = not path.read_text().partition("_base_ = '")[1]
    lines = [line for line in path.read_text().splitlines() if line]
    assert root or len(lines) < 15


@pytest.mark.parametrize('labels', [10, 20, 40, 80])
def test_published_settings(labels: int) -> None:
    for method in ('supervised', 'fixmatch', 'st-fixmatch'):
        config = load_config(CONFIGS / f'{method}_vit-small-p2_205k_eurosat-{labels}lb.py')
        assert config.train_dataloader.dataset.labelled.num_labels == labels
        assert config.train_dataloader.dataset.unlabelled.num_labels == labels
        assert config.train_dataloader.batch_size == (8 if method == 'supervised' else 16)
        assert config.optim_wrapper.optimizer.lr == 5e-5
        assert config.train_cfg.max_iters == 204800
        hooks = [hook['type'] for hook in config.custom_hooks]
        assert ('AveragedWeightsHook' in hooks) == (method != 'supervised')
        assert config.model.type.startswith('ST') == (method == 'st-fixmatch')
        if method == 'st-fixmatch':
            assert config.model.distill_weight == 0.01


def test_published_labels_are_in_the_config(eurosat: Path) -> None:
    """The labelled chips of a published cell follow from the names in the table."""
    from rsmm.datasets.eurosat_ssl import published_labels
    from rsmm.datasets.label_draws import lexicographic_split, reference_draw
    from rsmm.registry import DATASETS

    path = CONFIGS / 'fixmatch_vit-small-p2_205k_eurosat-20lb.py'
    config = load_config(path, {'data_root': str(eurosat)})
    data = DATASETS.build(config.train_dataloader.dataset)
    stems = [f'{name}_{i}' for name in CLASSES['eurosat'] for i in range(1, CHIPS + 1)]
    labels = published_labels(stems)
    drawn = reference_draw(lexicographic_split(stems, labels)['train'], labels, 20, 0)
    found = {Path(i['img_path']).stem for i in data.labelled.load_data_list()}
    assert found == set(drawn)
    assert data.sizes == (20, 120)


def test_two_core_config_runs_resumes_and_tests_any_folder(eurosat: Path, tmp_path: Path) -> None:
    """Trained by the stock loop; taken up after two of four steps it ends in the same weights."""
    path = CONFIGS / 'fixmatch_lite0-trunk_eurosat-40lb_2core.py'

    def trained(folder: Path, resume: bool | str = False) -> dict:
        options = {'data_root': str(eurosat), 'num_workers': 0, 'iters': 4, 'warmup': 1}
        config = load_config(path, options | {'val_interval': 2})
        config.default_hooks.checkpoint.interval = 2
        runner = run.train(config, work_dir=folder, resume=resume)
        # The schedule moves on with every step: after the last one it is a part of a cosine.
        rate = runner.optim_wrapper.param_groups[0]['lr']
        assert 0 < rate <= config.optim_wrapper.optimizer.lr
        return torch.load(folder / 'iter_4.pth', weights_only=False)['state_dict']

    whole = trained(tmp_path / 'whole')
    resumed = trained(tmp_path / 'resumed', resume=str(tmp_path / 'whole/iter_2.pth'))
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
    start = torch.load(tmp_path / 'whole/iter_2.pth', weights_only=False)['state_dict']
    assert not all(torch.equal(value, start[name]) for name, value in whole.items())
    other = tmp_path / 'other'
    write_jpg_chips(other, per_class=2)
    config = load_config(path, {'data_root': str(other), 'test_split': 'all', 'num_workers': 0})
    scores = run.test(config, str(tmp_path / 'whole/iter_4.pth'), work_dir=tmp_path / 'test')
    assert 0 <= scores['accuracy/top1'] <= 100
