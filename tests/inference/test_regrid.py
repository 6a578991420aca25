"""Scenes brought to the pixel size of the model."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

from rsmm.errors import ConfigError, DataError
from rsmm.geo.io import write_raster
from tests.inference.small_models import COLOURS, PLACE, Difference, inferencer

BLOCKS = np.random.default_rng(0).integers(1, 250, (20, 30, 3)).astype(np.uint8)
FINE = BLOCKS.repeat(4, axis=0).repeat(4, axis=1)
SMALL = {**PLACE, 'transform': (2.5, 0.0, 500000.0, 0.0, -2.5, 4600000.0)}


def mapped(path, tmp_path, **settings):
    (one,) = inferencer()(str(path), out=tmp_path / 'o', polygons=True, html=True, **settings)[
        'predictions'
    ]
    with rasterio.open(one['files'][0]) as source:
        return one, source.read(1), source.crs, source.transform


@pytest.mark.parametrize('nodata', [None, 0])
@pytest.mark.parametrize('bands', [None, COLOURS[::-1]])
def test_small_pixels_are_averaged(tmp_path, nodata, bands):
    image = FINE if bands is None else FINE[..., ::-1]
    write_raster(tmp_path / 'a.tif', image, bands=bands, nodata=nodata, **SMALL)
    one, labels, crs, transform = mapped(tmp_path / 'a.tif', tmp_path, gsd=10)
    np.testing.assert_array_equal(labels, BLOCKS.argmax(axis=2))
    assert tuple(transform)[:6] == PLACE['transform']
    assert crs.to_epsg() == 32631
    assert one['gsd'] == pytest.approx(10.004, abs=1e-3)
    again = inferencer()(str(tmp_path / 'a.tif'), out=tmp_path / 'o', polygons=True, html=True,
                         gsd=10)['predictions'][0]  # fmt: skip
    assert again == one  # a second call knows what is done


def test_degrees_become_metres(tmp_path):
    place = {'crs': 'EPSG:4326', 'transform': (1e-4, 0, 3.0, 0, -1e-4, 41.5)}
    image = np.full((100, 100, 3), 50, np.uint8)
    image[:, 50:, 1] = 200
    image[:, :50, 0] = 200
    write_raster(tmp_path / 'a.tif', image, **place)
    one, labels, crs, _ = mapped(tmp_path / 'a.tif', tmp_path, gsd=20)
    assert crs.to_epsg() == 32631
    assert one['gsd'] == pytest.approx(20, rel=2e-3)
    assert labels[labels.shape[0] // 2, 3] == 0
    assert labels[labels.shape[0] // 2, -4] == 1
    assert sum(row['area_ha'] for row in one['areas']) == pytest.approx(92.6, rel=0.05)


def test_the_pixel_size_of_the_model(tmp_path):
    write_raster(tmp_path / 'a.tif', FINE, **SMALL)
    infer = inferencer()
    with pytest.raises(ConfigError, match='does not say'):
        infer(str(tmp_path / 'a.tif'), gsd='model')
    infer.facts = {'gsd': 10.0}
    with pytest.raises(DataError, match=r'pixels of 2.5 m, trained on 10 m.*--gsd'):
        infer(str(tmp_path / 'a.tif'))
    (one,) = infer(str(tmp_path / 'a.tif'), gsd='model')['predictions']
    np.testing.assert_array_equal(one['labels'], BLOCKS.argmax(axis=2))
    for wrong in (0, -3, float('nan')):
        with pytest.raises(ConfigError, match='gsd='):
            infer(str(tmp_path / 'a.tif'), gsd=wrong)
    with pytest.raises(DataError, match='has no place'):
        infer(BLOCKS, gsd=10)


def test_two_dates_on_other_grids_come_to_one(tmp_path):
    write_raster(tmp_path / 'a.tif', FINE, **SMALL)
    later = BLOCKS.copy()
    later[5:9, 7:12, 0] = 255
    write_raster(tmp_path / 'b.tif', later, **PLACE)
    pair = [str(tmp_path / 'a.tif'), str(tmp_path / 'b.tif')]
    infer = inferencer(Difference)
    with pytest.raises(DataError, match='differs in size'):
        infer(pair)
    (one,) = infer(pair, gsd=10)['predictions']
    grown = later[..., 0].astype(int) - BLOCKS[..., 0] > 50
    np.testing.assert_array_equal(one['labels'], grown)
