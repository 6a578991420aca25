"""The toy EuroSAT: published layout, same bytes, a folder that is never overwritten by mistake."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from PIL import Image
from rasterio.warp import transform

from rsmm.errors import DataError
from rsmm.sensors import RGB, band_indices, band_order
from rsmm.toy.writers.common import MARKER, to_uint8
from rsmm.toy.writers.eurosat import CLASSES, write_eurosat

PER_CLASS = 12


@pytest.fixture(scope='module')
def root(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp('toy') / 'eurosat'
    assert write_eurosat(out, chips_per_class=PER_CLASS, seed=0)
    return out


def _digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob('*'))
        if path.is_file()
    }


def _lists(root: Path) -> dict[str, list[str]]:
    return {
        split: (root / f'eurosat-{split}.txt').read_text().split()
        for split in ('train', 'val', 'test')
    }


def test_layout(root):
    names = {f'{label}/{label}_{n}' for label in CLASSES for n in range(1, PER_CLASS + 1)}
    for folder, ending in (('2750', '.jpg'), ('tif', '.tif')):
        files = {str(p.relative_to(root / folder)) for p in (root / folder).rglob('*.*')}
        assert files == {name + ending for name in names}
    assert not list(root.parent.glob('.*'))


def test_rasters(root):
    path = root / 'tif' / 'River' / 'River_3.tif'
    with rasterio.open(path) as file:
        assert (file.count, file.height, file.width) == (13, 64, 64)
        assert set(file.dtypes) == {'uint16'}
        assert file.crs.to_epsg() == 32632
        assert file.transform[:6][0] == 10
        assert file.nodata is None
        data = file.read()
    assert data.min() >= 1
    # B10 sees cirrus only; B8A, stored last, is close to B08.
    order = band_order('eurosat')
    cirrus, nir, narrow = band_indices(order, ('B10', 'B08', 'B8A'))
    assert data[cirrus].mean() < 60
    assert np.corrcoef(data[nir].ravel(), data[narrow].ravel())[0, 1] > 0.7


def test_jpeg_is_the_colour_composite(root):
    rows = band_indices(band_order('eurosat'), RGB)
    for label in ('Forest', 'Industrial', 'SeaLake'):
        with rasterio.open(root / 'tif' / label / f'{label}_1.tif') as file:
            colour = np.moveaxis(file.read()[rows], 0, -1)
        jpeg = np.asarray(Image.open(root / '2750' / label / f'{label}_1.jpg'))
        assert jpeg.shape == (64, 64, 3)
        assert np.abs(jpeg.astype(int) - to_uint8(colour)).mean() < 3


def test_metadata_places_chips(root):
    table = pd.read_parquet(root / 'eurosat_metadata.parquet')
    assert list(table) == [
        'image_id', 'label_id', 'label_name', 'lat', 'lon', 'country', 'country_iso_a3',
    ]  # fmt: skip
    assert len(table) == 10 * PER_CLASS
    assert table.image_id.is_unique
    assert (table.label_name == [CLASSES[k] for k in table.label_id]).all()
    for row in table.iloc[::23].itertuples():
        with rasterio.open(root / 'tif' / row.label_name / row.image_id) as file:
            x, y = file.xy(31.5, 31.5)
            (lon,), (lat,) = transform(file.crs, 'EPSG:4326', [x], [y])
        assert (row.lat, row.lon) == pytest.approx((lat, lon), abs=1e-6)


def test_chips_spread_without_overlap(root):
    table = pd.read_parquet(root / 'eurosat_metadata.parquet')
    corners = set()
    for row in table.itertuples():
        with rasterio.open(root / 'tif' / row.label_name / row.image_id) as file:
            corners.add((file.bounds.left % 640, file.bounds.left, file.bounds.top))
    assert len(corners) == len(table)
    cells = table.assign(
        cell=[f'{a:.0f}/{b:.0f}' for a, b in zip(table.lat, table.lon, strict=True)]
    )
    # A split by cell needs every class in several cells, and cells with several classes.
    assert cells.groupby('label_name').cell.nunique().min() >= 3
    assert cells.groupby('cell').label_name.nunique().max() >= 5


def test_lists_are_a_stratified_partition(root):
    lists = _lists(root)
    everything = [name for names in lists.values() for name in names]
    assert sorted(everything) == sorted(p.name for p in (root / '2750').rglob('*.jpg'))
    for split, share in (('train', 0.6), ('val', 0.2), ('test', 0.2)):
        counts = pd.Series([name.rsplit('_', 1)[0] for name in lists[split]]).value_counts()
        assert (abs(counts - share * PER_CLASS) <= 1).all()
        assert len(counts) == 10


def test_same_seed_same_bytes(tmp_path):
    for name in 'ab':
        write_eurosat(tmp_path / name, chips_per_class=2, seed=3)
    first = _digests(tmp_path / 'a')
    assert len(first) == 10 * 2 * 2 + 5
    assert first == _digests(tmp_path / 'b')


def test_products_and_seed_change_the_output(tmp_path):
    write_eurosat(tmp_path / 'a', chips_per_class=1, seed=1, products=('rgb',))
    assert not (tmp_path / 'a' / 'tif').exists()
    write_eurosat(tmp_path / 'b', chips_per_class=1, seed=2, products=('rgb',))
    first, second = (_digests(tmp_path / name) for name in 'ab')
    assert first.keys() == second.keys()
    assert first['2750/River/River_1.jpg'] != second['2750/River/River_1.jpg']


def test_second_call_is_free_and_new_settings_replace(tmp_path):
    out = tmp_path / 'eurosat'
    settings = {'seed': 1, 'products': ['rgb']}
    assert write_eurosat(out, chips_per_class=2, **settings)
    before = (out / MARKER).stat().st_mtime_ns
    assert not write_eurosat(out, chips_per_class=2, **settings)
    assert (out / MARKER).stat().st_mtime_ns == before
    assert write_eurosat(out, chips_per_class=1, **settings)
    assert len(list((out / '2750').rglob('*.jpg'))) == 10
    (out / 'notes.txt').write_text('mine')
    assert not write_eurosat(out, chips_per_class=1, **settings)
    with pytest.raises(DataError, match='also holds notes.txt'):
        write_eurosat(out, chips_per_class=2, **settings)
    assert (out / 'notes.txt').exists()


def test_beside_other_toy_data(tmp_path):
    settings = {'chips_per_class': 1, 'products': ['rgb']}
    write_eurosat(tmp_path / 'eurosat', **settings)
    before = _digests(tmp_path / 'eurosat')
    assert write_eurosat(tmp_path, **settings)
    assert {path.name for path in tmp_path.iterdir()} > {'eurosat', '2750', MARKER}
    assert _digests(tmp_path / 'eurosat') == before
    assert not write_eurosat(tmp_path, **settings)
    with pytest.raises(DataError, match='also holds eurosat'):
        write_eurosat(tmp_path, seed=1, **settings)
    assert _digests(tmp_path / 'eurosat') == before


@pytest.mark.parametrize('content', ['photo.jpg', MARKER])
def test_foreign_folders_stay_untouched(tmp_path, content):
    (tmp_path / content).write_text('not json')
    with pytest.raises(DataError, match='not toy data'):
        write_eurosat(tmp_path, chips_per_class=1)
    assert [path.name for path in tmp_path.iterdir()] == [content]


def test_other_toy_data_stays_untouched(tmp_path):
    (tmp_path / MARKER).write_text(json.dumps({'dataset': 'oscd', 'entries': []}))
    with pytest.raises(DataError, match="toy data of 'oscd', not of 'eurosat'"):
        write_eurosat(tmp_path, chips_per_class=1)


def test_interrupted_run_keeps_the_old_folder(tmp_path, monkeypatch):
    out = tmp_path / 'eurosat'
    write_eurosat(out, chips_per_class=1, products=('rgb',))
    before = _digests(out)

    def fail(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr('rsmm.toy.writers.eurosat._write_lists', fail)
    with pytest.raises(KeyboardInterrupt):
        write_eurosat(out, chips_per_class=2, products=('rgb',))
    assert _digests(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ['eurosat']


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'chips_per_class': 0}, 'at least 1'),
        ({'products': ('sar',)}, 'unknown products'),
        ({'products': ()}, 'no products asked'),
    ],
)
def test_bad_settings(tmp_path, settings, message):
    with pytest.raises(DataError, match=message):
        write_eurosat(tmp_path / 'x', **settings)
    assert not (tmp_path / 'x').exists()


def test_colour_alone_does_not_solve_it(root):
    """Mean colour beats chance but is far from the labels: structure has to be learned."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def load(names):
        labels = [name.rsplit('_', 1)[0] for name in names]
        paths = [root / '2750' / label / name for label, name in zip(labels, names, strict=True)]
        return [np.asarray(Image.open(path)).mean((0, 1)) for path in paths], labels

    lists = _lists(root)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=10, max_iter=1000))
    model.fit(*load(lists['train']))
    accuracy = model.score(*load(lists['val'] + lists['test']))
    assert 0.25 < accuracy < 0.65
