"""Files keep their place on the map, and bad ones say what is wrong."""

import warnings

import geopandas
import numpy as np
import pytest
import rasterio
import shapely

from rsmm.errors import DataError, DataNotFoundError
from rsmm.geo import (
    binary_mask,
    read_mask,
    read_mask_stack,
    read_vector,
    write_raster,
    write_vector,
)

TRANSFORM = (4.7773, 0.0, -1000.0, 0.0, -4.7773, 500.0)


@pytest.mark.parametrize('shape', [(5, 7), (300, 260, 3)])
def test_raster_keeps_values_and_place(tmp_path, shape):
    array = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    path = tmp_path / 'new' / 'a.tif'
    write_raster(path, array, crs='EPSG:3857', transform=TRANSFORM, nodata=-9)
    with rasterio.open(path) as source:
        assert source.crs.to_epsg() == 3857
        assert tuple(source.transform)[:6] == TRANSFORM
        assert source.nodata == -9
        np.testing.assert_array_equal(np.moveaxis(source.read(), 0, -1), np.atleast_3d(array))
    assert [p.name for p in path.parent.iterdir()] == ['a.tif']


def test_mask_round_trip(tmp_path):
    mask = np.eye(6) > 0
    write_raster(tmp_path / 'm.tif', mask)
    np.testing.assert_array_equal(read_mask(tmp_path / 'm.tif'), mask)


@pytest.mark.parametrize('suffix', ['.geojson', '.gpkg'])
@pytest.mark.parametrize('count', [0, 2])
def test_vector_keeps_place_and_attributes(tmp_path, suffix, count):
    pixels = [shapely.box(0, 0, 2, 3), shapely.box(5, 5, 6, 9)][:count]
    path = tmp_path / f'v{suffix}'
    columns = {'Id': [7, 8][:count]}
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        write_vector(path, pixels, columns, crs='EPSG:3857', transform=TRANSFORM)
    shapes, found, crs = read_vector(path)
    assert 'Pseudo-Mercator' in crs
    assert len(shapes) == count
    if count:  # a GeoJSON file without features has no attributes
        assert found['Id'].tolist() == columns['Id']
        assert shapely.total_bounds(shapes) == pytest.approx(
            [-1000, 500 - 9 * 4.7773, -1000 + 6 * 4.7773, 500], abs=1e-6
        )
        degrees, _, _ = read_vector(path, crs='EPSG:4326')
        back = geopandas.GeoSeries(degrees, crs=4326).to_crs(3857)
        assert shapely.equals_exact(back.to_numpy(), shapes, 1e-5).all()


def test_polygons_and_multipolygons_in_one_layer(tmp_path):
    shapes = [shapely.box(0, 0, 1, 1), shapely.MultiPolygon([shapely.box(3, 3, 4, 4)])]
    write_vector(tmp_path / 'm.gpkg', shapes, crs='EPSG:3857')
    assert len(read_vector(tmp_path / 'm.gpkg')[0]) == 2


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / 'v.geojson'
    write_vector(path, [shapely.box(0, 0, 1, 1)], crs='EPSG:3857')
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r'.*'):
        write_vector(path, [shapely.box(0, 0, 1, 1)], {'Id': [1, 2]}, crs='EPSG:3857')
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ['v.geojson']


@pytest.mark.parametrize('values', [[0, 255], [0, 1], [0], [255], [False, True]])
def test_masks_of_two_values(values):
    assert binary_mask(np.array([values])).tolist() == [[bool(value) for value in values]]


@pytest.mark.parametrize('values', [[0, 128, 255], [0, 1, 255], [0.0, 0.5], [2]])
def test_other_masks_are_refused(values):
    with pytest.raises(DataError, match=r'm\.tif: expected a mask of 0 and 255, found values'):
        binary_mask(np.array([values]), where='m.tif')


def test_absent_and_broken_files(tmp_path):
    for reader in (read_vector, read_mask_stack):
        with pytest.raises(DataNotFoundError):
            reader(tmp_path / 'none.geojson')
    broken = tmp_path / 'broken.geojson'
    broken.write_text('{"type": "FeatureCollection", "features": [')
    with pytest.raises(DataError, match=r'broken\.geojson'):
        read_vector(broken)
    ring = '{"type": "Polygon", "coordinates": [[[0, 0], [9, 9], [9, 0], [0, 9]]]}'
    feature = f'{{"type": "Feature", "properties": {{}}, "geometry": {ring}}}'
    broken.write_text(f'{{"type": "FeatureCollection", "features": [{feature}]}}')
    with pytest.raises(DataError, match='closed'):
        read_vector(broken)
    with pytest.raises(DataError, match=r'broken\.geojson'):
        read_mask_stack(broken)
    with pytest.raises(DataError, match=r'\.shp'):
        write_vector(tmp_path / 'a.shp', [])


def test_labels_without_a_coordinate_system_cannot_be_placed(tmp_path):
    path = tmp_path / 'v.gpkg'
    write_vector(path, [shapely.box(0, 0, 1, 1)])
    with pytest.raises(DataError, match='no coordinate system'):
        read_vector(path, crs='EPSG:3857')
