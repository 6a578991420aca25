"""Crime tiles: city-disjoint splits, tables that contradict themselves, the study's classifier."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope

from rsmm.apis.config import load_config, model_settings
from rsmm.datasets.crime import CrimeTiles, select_split
from rsmm.datasets.transforms.feature_maps import LoadFeatureMap, picture_of, read_feature_map
from rsmm.engine.runner import Runner
from rsmm.errors import ConfigError, DataError, DataNotFoundError
from rsmm.models.backbones.tiny_cnn import TinyCNN
from rsmm.registry import MODELS
from rsmm.toy.writers.aerial import write_urban_tiles

CONFIGS = Path(__file__).parents[2] / 'configs/crime'
CONFIG = CONFIGS / 'tiny-cnn_15e_urban-tiles.py'


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
        (
            'a.tif,1,1,3,St. Louis,train,4,1\nb.tif,1,2,3, st. louis ,test,0,0\n',
            'line 3: city .* is in the splits train and test',
        ),
        ('a.tif,q,1,3,X,train,4,1\n', "line 2: x is 'q'"),
        ('a.tif,1,1,3,X,train,many,1\n', "line 2: count is 'many'"),
        ('a.tif,1,1,3,,train,4,1\n', 'line 2: names no city'),
        ('a.tif,1,1\n', 'line 2: has more or fewer values'),
        ('a.tif,1,1,3,X,train,4,1,9\n', 'line 2: has more or fewer values'),
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


def test_tiles_whose_place_is_not_known(tmp_path: Path) -> None:
    (tmp_path / 'tiles.csv').write_text(HEADER + 'a.tif,,,,X,train,,1\n')
    (tmp_path / 'tiles').mkdir()
    (tmp_path / 'tiles/a.tif').touch()
    assert entries(tmp_path)[0]['gt_label'] == 1
    with pytest.raises(DataError, match='no x or y'):
        CrimeTiles(str(tmp_path), held_out=0.25)


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

    predicted = model.eval().test_step(next(iter(loader)))[0]
    assert predicted.city in ('Eastwick', 'Farrow')


def test_held_out_part_of_the_train_cities(root: Path) -> None:
    """Contiguous, of every train city, and in neither training nor the other splits."""
    train = {d['img_path']: d for d in entries(root, split='train')}
    kept = {d['img_path']: d for d in entries(root, split='train', held_out=0.3)}
    within = {d['img_path']: d for d in entries(root, split='within', held_out=0.3)}
    assert kept | within == train
    assert not kept.keys() & within.keys()
    assert {d['city'] for d in within.values()} == {d['city'] for d in train.values()}
    assert entries(root, split='test') == entries(root, split='test', held_out=0.3)
    rows = [
        dict(split='train', city=c, x=str(k % 4), y=str(k // 4), tile=f'{c}{k}')
        for c in 'ab'
        for k in range(16)
    ]
    east = select_split(rows, 'within', 0.25)
    assert sorted({row['x'] for row in east}) == ['3']
    assert len(east) == 8
    with pytest.raises(ConfigError, match='held_out=0'):
        CrimeTiles(str(root), split='within')


def entries(root: Path, **settings) -> list[dict]:
    dataset = CrimeTiles(str(root), **settings)
    return [
        {k: v for k, v in dataset.get_data_info(n).items() if k != 'sample_idx'}
        for n in range(len(dataset))
    ]


@pytest.fixture(scope='module')
def maps(root: Path, tmp_path_factory) -> Path:
    """Maps of 16 x 12 with 128 channels, as the hook writes them."""
    out = tmp_path_factory.mktemp('maps')
    rng = np.random.default_rng(0)
    for path in (root / 'tiles').glob('*.tif'):
        feat = rng.normal(size=(128, 16, 12)).astype(np.float16)
        np.savez(out / f'{path.stem}.npz', feat=feat, level=0)
    return out


def test_classifier_on_maps(root: Path, maps: Path) -> None:
    options = {'data_root': str(root), 'maps_dir': str(maps), 'num_workers': 0, 'batch_size': 4}
    config = load_config(CONFIGS / 'tiny-cnn_20e_urban-tiles-detr.py', options)
    init_default_scope('rsmm')
    model = MODELS.build(model_settings(config))
    batch = next(iter(Runner.build_dataloader(config.test_dataloader, seed=0)))
    image, path = batch['inputs'][0], batch['data_samples'][0].img_path
    np.testing.assert_array_equal(image.numpy(), read_feature_map(path).astype(np.float32))
    assert model.eval().test_step(batch)[0].city in ('Eastwick', 'Farrow')
    batch = next(iter(Runner.build_dataloader(config.train_dataloader, seed=0)))
    model.train()(**model.data_preprocessor(batch, True), mode='loss')['loss'].backward()
    assert model.backbone.stem.weight.grad.abs().sum() > 0


def test_absent_maps(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match=r'feature maps are absent.*maps_'):
        CrimeTiles(str(root), maps_dir=str(tmp_path))


def test_resizing_behind_the_first_convolution_is_resizing_the_map() -> None:
    torch.manual_seed(0)
    model = TinyCNN(in_channels=20, size=50).eval()
    features = torch.randn(2, 20, 16, 12)
    resized = F.interpolate(features, (50, 50), mode='bilinear')
    torch.testing.assert_close(model(features), model(resized), atol=1e-5, rtol=1e-4)
    assert model(features)[0].shape == (2, 10)


def test_picture_of_the_study(tmp_path: Path) -> None:
    """Values in storage order as one square; what is negative or above 255 is lost."""
    feat = np.arange(-8, 8, dtype=np.float16).reshape(4, 2, 2) * 40
    picture = picture_of(feat)
    assert picture.shape == (4, 4, 3)
    expected = np.clip(np.arange(-8, 8).reshape(4, 4) * 40, 0, 255)
    np.testing.assert_array_equal(picture[..., 0], expected)
    np.savez(tmp_path / 'a.npz', feat=feat)
    loaded = LoadFeatureMap(legacy_image=True).transform({'img_path': str(tmp_path / 'a.npz')})
    np.testing.assert_array_equal(loaded['img'], picture)
    with pytest.raises(DataError, match='not a square'):
        picture_of(feat[:3])


def test_files_that_are_no_maps(tmp_path: Path) -> None:
    (tmp_path / 'broken.npz').write_bytes(b'PK broken')
    np.savez(tmp_path / 'other.npz', image=np.zeros((3, 4, 4)))
    np.savez(tmp_path / 'flat.npz', feat=np.zeros((3, 4)))
    for name, message in (
        ('broken', 'is no feature map'),
        ('other', 'is no feature map'),
        ('absent', 'there is no such file'),
    ):
        with pytest.raises(DataError, match=f'{name}.npz: {message}'):
            read_feature_map(str(tmp_path / f'{name}.npz'))
    with pytest.raises(DataError, match=r'found \(3, 4\)'):
        read_feature_map(str(tmp_path / 'flat.npz'))
