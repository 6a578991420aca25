"""Outlines of maps: whole across tiles, without gaps and overlaps, with true sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from pyproj import Geod
from scipy import ndimage

from rsmm.errors import ConfigError
from rsmm.geo.io import write_raster
from tests.inference.small_models import PLACE, Brightest, Building, inferencer


def polygons(tmp_path: Path, image, kind=Brightest, place=PLACE, nodata=None, **settings):
    write_raster(tmp_path / 'scene.tif', image, nodata=nodata, **place)
    out = tmp_path / 'out'
    (one,) = inferencer(kind)(
        str(tmp_path / 'scene.tif'), out=out, polygons=settings or True, tile=32, stride=24
    )['predictions']
    frame = pyogrio.read_dataframe(out / 'scene_polygons.gpkg')
    assert len(frame) == one['polygons']
    with rasterio.open(out / 'scene_map.tif') as source:
        return frame, source.read(1)


def patches(seed: int = 0, shape=(90, 120)) -> np.ndarray:
    """Smooth patches of three colours, and an empty corner."""
    noise = np.random.default_rng(seed).normal(size=(*shape, 3))
    smooth = np.stack([ndimage.gaussian_filter(noise[..., k], 4) for k in range(3)], axis=2)
    image = (128 + 100 * smooth / np.abs(smooth).max()).astype(np.uint8)
    image[:15, :15] = 0
    return image


@pytest.mark.parametrize('simplify', [0, 1.5, 2])
@pytest.mark.parametrize('min_area', [0, 2500])
def test_neighbours_share_their_edges(tmp_path, simplify, min_area):
    frame, labels = polygons(tmp_path, patches(), nodata=0, simplify=simplify, min_area=min_area)
    shapes = frame.geometry.to_numpy()
    assert shapely.is_valid(shapes).all()
    assert shapely.coverage_is_valid(shapes)
    assert shapely.area(shapes).sum() == pytest.approx(shapely.union_all(shapes).area, rel=1e-9)
    covered = (labels != 255).sum() * 100
    assert shapely.area(shapes).sum() == pytest.approx(covered, rel=0.01 if simplify else 1e-9)
    assert frame['pixels'].sum() == (labels != 255).sum()
    if not simplify and not min_area:
        for value, group in frame.groupby('value'):
            assert group['pixels'].sum() == (labels == value).sum()
            assert len(group) == ndimage.label(labels == value)[1]
    if min_area:
        assert frame['pixels'].min() >= 25


def test_an_object_across_tiles_is_one_and_small_ones_go(tmp_path):
    image = np.zeros((80, 80, 3), np.uint8)
    row, column = np.indices((80, 80))
    disk = (row - 40) ** 2 + (column - 40) ** 2 < 30**2
    image[disk, 0] = 200
    image[38:40, 38:40, 0] = 0  # a hole and a speck, both of four pixels
    image[2:4, 2:4, 0] = 200
    frame, _ = polygons(tmp_path, image, Building, simplify=0)
    assert sorted(frame['pixels']) == [4, disk.sum() - 4]
    assert set(frame['class']) == {'building'}
    (tmp_path / 'again').mkdir()
    frame, _ = polygons(tmp_path / 'again', image, Building, simplify=0, min_area=500)
    assert list(frame['pixels']) == [disk.sum()]
    assert not len(frame.geometry[0].interiors)


def test_probabilities_and_hectares(tmp_path):
    image = np.zeros((40, 60, 3), np.uint8)
    image[10:30, 20:50, 0] = 101  # a logit of 1
    frame, _ = polygons(tmp_path, image, Building, simplify=0)
    assert frame['probability'][0] == pytest.approx(1 / (1 + np.exp(-1)), abs=2e-3)
    west, north = 500200, 4599900
    box = shapely.segmentize(shapely.box(west, north - 200, west + 300, north), 50)
    import pyproj

    move = pyproj.Transformer.from_crs(32631, 4326, always_xy=True)
    lon, lat = move.transform(*np.array(box.exterior.coords).T)
    truth = abs(Geod(ellps='WGS84').polygon_area_perimeter(lon, lat)[0]) / 1e4
    assert frame['area_ha'][0] == pytest.approx(truth, abs=1e-3)
    assert frame.geometry[0].equals(shapely.box(west, north - 200, west + 300, north))


def test_a_rotated_grid_and_none_at_all(tmp_path):
    image = np.zeros((40, 60, 3), np.uint8)
    image[10:30, 20:50, 0] = 200
    rotated = {'crs': 'EPSG:32631', 'transform': (8.0, 6.0, 5e5, 6.0, -8.0, 4.6e6)}
    frame, _ = polygons(tmp_path, image, Building, rotated, simplify=0)
    corner = (8 * 20 + 6 * 10 + 5e5, 6 * 20 - 8 * 10 + 4.6e6)
    assert corner in list(frame.geometry[0].exterior.coords)
    assert frame.geometry[0].area == pytest.approx(600 * 100)
    (tmp_path / 'none').mkdir()
    frame, _ = polygons(tmp_path / 'none', image, Building, {}, simplify=0)
    assert frame.crs is None
    assert 'area_ha' not in frame
    assert frame.geometry[0].equals(shapely.box(20, 10, 50, 30))


@pytest.mark.parametrize('value', [0, 255])
def test_nothing_found_is_an_empty_layer(tmp_path, value):
    image = np.full((20, 20, 3), 0, np.uint8)
    nodata = 0 if value == 255 else None
    frame, labels = polygons(tmp_path, image, Building, nodata=nodata)
    assert (labels == value).all()
    assert len(frame) == 0


def test_impossible_settings(tmp_path):
    with pytest.raises(ConfigError, match='min_area=-1'):
        polygons(tmp_path, patches(), min_area=-1)
