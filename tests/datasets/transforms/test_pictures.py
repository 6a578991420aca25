"""Pictures of every colour model come as red, green and blue."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rsmm.datasets.transforms.pictures import LoadPicture
from rsmm.errors import DataError
from rsmm.geo.io import write_raster


def load(path: Path, **keys) -> dict:
    return LoadPicture().transform({'img_path': str(path), **keys})


@pytest.fixture
def picture() -> Image.Image:
    values = np.random.default_rng(0).integers(0, 4, (12, 20, 3)) * 80
    return Image.fromarray(values.astype(np.uint8))


@pytest.mark.parametrize('mode', ['RGB', 'RGBA', 'P', 'L', 'LA'])
@pytest.mark.parametrize('window', [None, (2, 3, 8, 30)])
def test_colour_models(tmp_path: Path, picture: Image.Image, mode: str, window) -> None:
    path = tmp_path / 'a.png'
    stored = picture.quantize(64) if mode == 'P' else picture.convert(mode)
    stored.save(path)
    expected = np.asarray(stored.convert('RGB'))
    keys = {}
    if window is not None:
        expected, keys = expected[2:10, 3:], {'window': window}
    found = load(path, **keys)
    np.testing.assert_array_equal(found['img'], expected)
    assert found['bands'] == ('R', 'G', 'B')
    assert found['img_shape'] == expected.shape[:2]


def test_grey_jpeg_and_geotiff(tmp_path: Path, picture: Image.Image) -> None:
    picture.convert('L').save(tmp_path / 'a.jpg')
    assert load(tmp_path / 'a.jpg')['img'].shape == (12, 20, 3)
    deep = np.arange(240, dtype=np.uint16).reshape(12, 20, 1) * 9
    write_raster(tmp_path / 'a.tif', deep)
    np.testing.assert_array_equal(load(tmp_path / 'a.tif')['img'], np.repeat(deep, 3, axis=2))


def test_bands_that_are_no_colours(tmp_path: Path) -> None:
    write_raster(tmp_path / 'a.tif', np.ones((6, 7, 4), np.uint8))
    with pytest.raises(DataError, match=r'a.tif: has 4 bands.*--bands'):
        load(tmp_path / 'a.tif')
