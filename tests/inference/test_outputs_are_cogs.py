"""Maps are cloud-optimised GeoTIFFs by the rules of those who read them, with any kind of place."""

from __future__ import annotations

import shutil
import struct
import subprocess

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint

from rsmm.geo.io import write_raster
from tests.inference.small_models import PLACE, inferencer


@pytest.fixture(scope='module')
def maps(tmp_path_factory):
    folder = tmp_path_factory.mktemp('cog')
    image = np.random.default_rng(0).integers(1, 250, (1100, 1300, 3)).astype(np.uint8)
    write_raster(folder / 'scene.tif', image, **PLACE)
    infer = inferencer()
    infer(str(folder / 'scene.tif'), out=folder / 'bytes', probabilities=True)
    infer(str(folder / 'scene.tif'), out=folder / 'half', probabilities='float16')
    return folder


FILES = ('bytes/scene_map.tif', 'bytes/scene_probabilities.tif', 'half/scene_probabilities.tif')


def directories(path) -> list[tuple[int, int, int]]:
    """Offset, first tile's offset and width of each image of a classic TIFF, in file order."""
    raw = path.read_bytes()
    assert raw[:4] == b'II*\0'
    found, place = [], struct.unpack('<I', raw[4:8])[0]
    while place:
        count = struct.unpack('<H', raw[place : place + 2])[0]
        entries = [
            struct.unpack('<HHII', raw[place + 2 + 12 * k : place + 14 + 12 * k])
            for k in range(count)
        ]
        tags = {tag: (number, value) for tag, _, number, value in entries}
        number, value = tags[324]  # offsets of tiles; strips have 273
        first = value if number == 1 else struct.unpack('<I', raw[value : value + 4])[0]
        found.append((place, first, tags[256][1]))
        end = place + 2 + 12 * count
        place = struct.unpack('<I', raw[end : end + 4])[0]
    return found


@pytest.mark.parametrize('name', FILES)
def test_the_layout_is_that_of_a_cog(maps, name):
    """Directories first, large to small; data of overviews before that of the image."""
    path = maps / name
    found = directories(path)
    widths = [width for _, _, width in found]
    assert widths == sorted(widths, reverse=True)
    assert len(widths) >= 2  # an overview that fits one tile
    assert min(widths) <= 512 < widths[0] == 1300
    places = [place for place, _, _ in found]
    assert places == sorted(places)
    data = [first for _, first, _ in found]
    assert data == sorted(data, reverse=True)
    assert max(places) < min(data)
    with rasterio.open(path) as source:
        assert source.tags(ns='IMAGE_STRUCTURE')['LAYOUT'] == 'COG'
        assert source.block_shapes[0] == (512, 512)


@pytest.mark.parametrize('name', FILES)
def test_rio_cogeo_agrees(maps, name):
    cogeo = pytest.importorskip('rio_cogeo', reason='pip install rio-cogeo')
    valid, errors, warnings = cogeo.cog_validate(str(maps / name), strict=True)
    assert (valid, errors, warnings) == (True, [], [])


def test_half_precision_is_close_to_bytes(maps):
    with rasterio.open(maps / FILES[1]) as source:
        stored = source.read() * source.scales[0]
    with rasterio.open(maps / FILES[2]) as source:
        assert np.isnan(source.nodata)
        np.testing.assert_allclose(source.read(), stored, atol=0.0025)
        assert source.tags(1, ns='IMAGE_STRUCTURE')['NBITS'] == '16'


@pytest.mark.skipif(not shutil.which('gdalinfo'), reason='no gdalinfo on this machine')
def test_gdalinfo_shows_the_names(maps):
    done = subprocess.run(
        ['gdalinfo', str(maps / FILES[0])], capture_output=True, text=True, check=True
    )
    assert 'class 1' in done.stdout
    assert 'GDALRasterAttributeTable' in done.stdout


def test_control_points_and_coefficients_stay(tmp_path):
    image = np.random.default_rng(0).integers(1, 250, (40, 50, 3)).astype(np.uint8)
    points = [
        GroundControlPoint(row, column, 31 + column / 1e4, 30 - row / 1e4, 0)
        for row in (0, 40)
        for column in (0, 50)
    ]
    write_raster(tmp_path / 'scene.tif', image)
    with rasterio.open(tmp_path / 'scene.tif', 'r+') as target:
        target.gcps = points, rasterio.crs.CRS.from_epsg(4326)
    (one,) = inferencer()(str(tmp_path / 'scene.tif'), out=tmp_path / 'o', polygons=True)[
        'predictions'
    ]
    with rasterio.open(tmp_path / 'o' / 'scene_map.tif') as source:
        found, crs = source.gcps
        assert crs.to_epsg() == 4326
        assert [(p.row, p.col, p.x, p.y) for p in found] == [
            (p.row, p.col, p.x, p.y) for p in points
        ]
    import pyogrio

    frame = pyogrio.read_dataframe(tmp_path / 'o' / 'scene_polygons.gpkg')
    assert frame.total_bounds == pytest.approx([31, 29.996, 31.005, 30], abs=2e-4)
    hectares = sum(row['area_ha'] for row in one['areas'])
    assert hectares == pytest.approx(0.005 * 96486 * 0.004 * 110852 / 1e4, rel=2e-3)
    assert frame['area_ha'].sum() == pytest.approx(hectares, rel=0.02)
