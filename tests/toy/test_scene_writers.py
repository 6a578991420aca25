"""The toy SeCo and CACo archives: published layout, and places that do what the truth says."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import rasterio

from rsmm.datasets.caco import CACoDataset
from rsmm.datasets.seco import SeCoDataset
from rsmm.errors import DataError
from rsmm.sensors import band_order
from rsmm.toy.writers.caco import write_caco
from rsmm.toy.writers.seco import write_seco


@pytest.fixture(scope='module')
def seco(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('toy') / 'seco'
    assert write_seco(root, places=2, size=60)
    return root


@pytest.fixture(scope='module')
def caco(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('toy') / 'caco'
    assert write_caco(root, places=4, dates_per_set=3, size=60)
    return root


def test_layout(seco) -> None:
    data = SeCoDataset(str(seco), mode='seco', bands='seco')
    assert len(data) == 2
    assert len(data.get_data_info(0)['scenes']) == 5
    folder = next(path for path in sorted((seco / '000000').iterdir()) if path.is_dir())
    assert (folder / 'metadata.json').is_file()
    assert folder.with_name(f'{folder.name}.tif').is_file()
    sizes = {}
    for band in band_order('seco'):
        with rasterio.open(folder / f'{band.replace("B0", "B")}.tif') as file:
            assert file.dtypes == ('uint8',)
            assert file.crs.to_epsg() == 4326
            assert file.compression.name == 'jpeg'
            sizes[band] = file.shape
    assert (sizes['B04'], sizes['B8A'], sizes['B01']) == ((60, 60), (30, 30), (10, 10))


def test_same_settings_same_files(seco, tmp_path) -> None:
    assert not write_seco(seco, places=2, size=60)
    write_seco(tmp_path / 'again', places=2, size=60)
    names = sorted(path.relative_to(seco) for path in seco.rglob('*.tif'))
    assert names
    for name in names[::7]:
        assert (seco / name).read_bytes() == (tmp_path / 'again' / name).read_bytes()


def test_dates_are_a_season_apart(seco) -> None:
    scenes = SeCoDataset(str(seco), mode='seco').get_data_info(0)['scenes']
    days = np.array([scene['date'] for scene in scenes], dtype='datetime64[D]')
    gaps = np.diff(days).astype(int)
    assert ((gaps > 55) & (gaps < 90)).all()


def test_half_of_the_places_change_between_the_sets(caco) -> None:
    with open(caco / 'truth.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    shares = [float(row['built_up_share']) for row in rows]
    assert sum(share >= 0.08 for share in shares) == 2
    assert sum(share == 0 for share in shares) == 2
    data = CACoDataset(str(caco), mode='caco', dates_per_set=3)
    old, new = data.get_data_info(0), data.get_data_info(1)
    first, last = (np.datetime64(info['scenes'][0]['date']) for info in (old, new))
    assert 3.5 * 365 < (last - first).astype(int) < 4.5 * 366


def test_size_must_fit_all_bands(tmp_path) -> None:
    with pytest.raises(DataError, match='multiple of 6'):
        write_seco(tmp_path / 'x', size=100)
