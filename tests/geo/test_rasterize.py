"""Target channels: golden cases, a real mask, units."""

import json

import numpy as np
import pytest
import shapely
from affine import Affine

from rsmm.errors import ConfigError
from rsmm.geo import (
    as_affine,
    boundary_mask,
    contact_mask,
    footprint_mask,
    instance_labels,
    read_mask,
    read_vector,
    to_map,
    to_pixels,
)


def bits(rows):
    return np.array([[pixel == '1' for pixel in row] for row in rows])


@pytest.mark.parametrize('index', range(3))
def test_golden_channels(repo_root, index):
    path = repo_root / 'tests/data/sn7_mask_polygon_golden.json'
    case = json.loads(path.read_text())['masks'][index]
    polygons = list(shapely.from_wkt(case['polygons']))
    shape = tuple(case['shape'])
    footprint = footprint_mask(polygons, shape)
    np.testing.assert_array_equal(footprint, bits(case['footprint']))
    for name, rows in case['boundary'].items():
        kind, width = name.split('_')
        np.testing.assert_array_equal(boundary_mask(footprint, int(width), kind), bits(rows))
    for spacing, rows in case['contact'].items():
        np.testing.assert_array_equal(contact_mask(polygons, shape, float(spacing)), bits(rows))


def test_subpixel_buildings_vanish_and_empty_ones_are_skipped():
    polygons = [shapely.box(1.6, 1.6, 2.4, 2.4), None, shapely.Polygon()]
    assert not footprint_mask(polygons, (4, 4)).any()
    assert not footprint_mask([], (4, 4)).any()
    assert not contact_mask(polygons, (4, 4), 3.0).any()


def test_boundary_at_the_image_border_is_not_eroded():
    assert not boundary_mask(np.ones((5, 5), bool), 3).any()


def test_instances_are_numbered_from_one():
    labels = instance_labels([shapely.box(0, 0, 2, 2), None, shapely.box(3, 0, 4, 2)], (2, 5))
    assert labels.tolist() == [[1, 1, 0, 3, 0]] * 2


def test_affine_there_and_back():
    transform = (4.7773, 0.0, 1000.0, 0.0, -4.7773, 2000.0)
    (pixel,) = to_pixels(to_map([shapely.box(1, 2, 5, 9)], transform), transform)
    assert pixel.equals_exact(shapely.box(1, 2, 5, 9), 1e-9)
    assert to_map([shapely.Point(0, 0)], transform)[0].coords[0] == (1000.0, 2000.0)


def test_bad_arguments():
    with pytest.raises(ConfigError, match='odd'):
        boundary_mask(np.ones((3, 3), bool), 4)
    with pytest.raises(ConfigError, match='both'):
        boundary_mask(np.ones((3, 3), bool), 3, 'both')
    with pytest.raises(ConfigError, match='six numbers'):
        as_affine((1, 2))


@pytest.mark.realdata
def test_real_footprint_mask(real_data):
    folder = real_data / 'spacenet4_atlanta'
    shapes, _, _ = read_vector(folder / 'geotiff_labels.geojson')
    polygons = to_pixels(shapes, Affine(0.5, 0, 733601, 0, -0.5, 3725139))
    expected = read_mask(folder / 'sample_fp_mask_from_geojson.tif')
    assert expected.sum() == 33818
    np.testing.assert_array_equal(footprint_mask(polygons, expected.shape), expected)
