"""Crime tiles: city-disjoint splits, tables that contradict themselves, the study's classifier."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.registry import init_default_scope

from rsmm.apis.config import load_config, model_settings
from rsmm.datasets.crime import CrimeTiles
from rsmm.engine.runner import Runner
from rsmm.errors import ConfigError, DataError, DataNotFoundError
from rsmm.models.backbones.tiny_cnn import TinyCNN
from rsmm.registry import MODELS
from rsmm.toy.writers.aerial import write_urban_tiles

CONFIG = Path(__file__).parents[2] / 'configs/crime/tiny-cnn_15e_urban-tiles.py'


@pytest.fixture(scope='module')
def root(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp('crime') / 'urban'
    write_urban_tiles(out, tiles_per_city=6)
    return out


def test_splits_share_no_city(root: Path) -> None:
    cities = []
    for split in ('train', 'val', 'test'):
        dataset = CrimeTiles(str(root), split=split)
        entries = [dataset.get_data_info(k) for k in range(len(dataset))]
        assert {entry['gt_label'] for entry in entries} == {0, 1}
        cities.append({entry['city'] for entry in entries})
    assert not cities[0] & cities[1]
    assert not (cities[0] | cities[1]) & cities[2]


HEADER = 'tile,x,y,z,city,split,count,label\n'


@pytest.mark.parametrize(
    ('rows', 'message'),
    [
        ('a.tif,1,1,3,X,train,4,1\nb.tif,1,2,3,X,test,0,0\n', "line 3: city 'X' is in the splits"),
        ('a.tif,1,1,3,X,training,4,1\n', 'line 2: split'),
        ('a.tif,1,1,3,X,train,4,2\n', 'line 2: label'),
        ('a.tif,1,1,3,X,train,4,1\na.tif,1,1,3,X,train,4,1\n', 'listed twice'),
        ('a.tif,1,1,3,X,train,4,\n', 'no labelled tile'),
    ],
)
def test_bad_tables(tmp_path: Path, rows: str, message: str) -> None:
    (tmp_path / 'tiles.csv').write_text(HEADER + rows)
    with pytest.raises(DataError, match=message):
        CrimeTiles(str(tmp_path))


def test_absent_files(tmp_path: Path) -> None:
    (tmp_path / 'tiles.csv').write_text('tile,city\na,b\n')
    with pytest.raises(DataError, match='has no column x, y, z, split'):
        CrimeTiles(str(tmp_path))
    (tmp_path / 'tiles.csv').write_text(HEADER + 'a.tif,1,1,3,X,train,4,1\n')
    with pytest.raises(DataNotFoundError, match='1 of 1 tiles are absent'):
        CrimeTiles(str(tmp_path))
    (tmp_path / 'tiles.csv').rename(tmp_path / 'table.csv')
    with pytest.raises(DataNotFoundError, match='make_toy_data.py urban-tiles'):
        CrimeTiles(str(tmp_path))
    with pytest.raises(ConfigError, match='split'):
        CrimeTiles(str(tmp_path), split='all')


def test_classifier_of_the_study(root: Path) -> None:
    config = load_config(CONFIG, {'data_root': str(root), 'num_workers': 0, 'batch_size': 4})
    init_default_scope('rsmm')
    model = MODELS.build(model_settings(config))
    assert sum(p.numel() for p in model.parameters()) == 59_296
    loader = Runner.build_dataloader(config.train_dataloader, seed=0)
    batch = model.data_preprocessor(next(iter(loader)), True)
    model(**batch, mode='loss')['loss'].backward()
    assert model.backbone.features[0].weight.grad.abs().sum() > 0
    loader = Runner.build_dataloader(config.test_dataloader, seed=0)
    assert model.eval().test_step(next(iter(loader)))[0].pred_score.shape == (2,)


def test_feature_maps_of_many_channels() -> None:
    model = TinyCNN(in_channels=256, size=100)
    assert model(torch.zeros(2, 256, 100, 100))[0].shape == (2, 10)
