"""Polygons from masks: the golden cases, GDAL as an oracle, the real cube."""

import json

import numpy as np
import pytest
import rasterio.features
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rsmm.errors import DataError
from rsmm.geo import mask_to_polygons, polygonal, read_mask_stack, regions_to_polygons

masks = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.booleans())


def wkts(polygons):
    return sorted(shapely.normalize(polygon).wkt for polygon in polygons)


def golden(repo_root):
    path = repo_root / 'tests/data/sn7_mask_polygon_golden.json'
    return json.loads(path.read_text())['polygons']


@pytest.mark.parametrize('index', range(5))
def test_golden_cases(repo_root, index):
    case = golden(repo_root)[index]
    polygons = mask_to_polygons(np.array(case['logits']), case['bg_threshold'], case['min_area'])
    assert wkts(polygons) == wkts(shapely.from_wkt(case['polygons']))
    assert sorted(polygon.area for polygon in polygons) == case['areas']


@settings(max_examples=150, deadline=None)
@given(masks)
def test_equals_gdal_and_is_valid(mask):
    polygons = mask_to_polygons(mask, 0.5, min_area=0)
    assert all(polygon.is_valid for polygon in polygons)
    assert {polygon.geom_type for polygon in polygons} <= {'Polygon'}
    shapes = rasterio.features.shapes(mask.astype(np.uint8), mask=mask, connectivity=4)
    expected = [shapely.geometry.shape(geometry).buffer(0) for geometry, _ in shapes]
    assert wkts(polygons) == wkts(expected)


@settings(max_examples=100, deadline=None)
@given(
    arrays(np.int32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 3))
)
def test_labels_come_back_when_burnt(labels):
    regions = regions_to_polygons(labels)
    assert list(regions) == sorted(set(np.unique(labels).tolist()) - {0})
    for name, polygon in regions.items():
        assert polygon.is_valid
        burnt = rasterio.features.geometry_mask(
            [polygon], labels.shape, Affine.identity(), invert=True
        )
        np.testing.assert_array_equal(burnt, labels == name)


def test_order_is_that_of_first_pixels():
    mask = np.zeros((6, 12))
    mask[3:6, 0:3] = mask[0:3, 8:12] = mask[1:4, 4:7] = 1
    starts = [polygon.bounds[:2] for polygon in mask_to_polygons(mask)]
    assert starts == [(8, 0), (4, 1), (0, 3)]


def test_threshold_is_strict_and_nan_is_background():
    logits = np.full((4, 4), 0.0)
    assert mask_to_polygons(logits) == []
    logits[:] = np.nan
    assert mask_to_polygons(logits) == []
    logits[1:3, 1:3] = np.inf
    assert [polygon.area for polygon in mask_to_polygons(logits)] == [4]
    masked = np.ma.masked_less(np.arange(16.0).reshape(4, 4), 8)
    assert [polygon.area for polygon in mask_to_polygons(masked)] == [8]


def test_min_area_uses_the_net_area():
    ring = np.ones((3, 3))
    ring[1, 1] = 0
    assert len(mask_to_polygons(ring, min_area=8)) == 1
    assert mask_to_polygons(ring, min_area=8.5) == []


def test_corner_contact_separates_unless_eight_connected():
    mask = np.kron(np.eye(2), np.ones((2, 2)))
    assert len(mask_to_polygons(mask)) == 2
    (joined,) = mask_to_polygons(mask, connectivity=8)
    assert joined.geom_type == 'MultiPolygon'
    assert joined.is_valid
    assert joined.area == 8
    assert len(mask_to_polygons(mask, min_area=5, connectivity=8)) == 1


def test_simplify_keeps_polygons_valid_and_close():
    rows, columns = np.mgrid[:40, :40]
    disc = (rows - 20) ** 2 + (columns - 20) ** 2 < 200
    (exact,) = mask_to_polygons(disc, 0.5)
    (simple,) = mask_to_polygons(disc, 0.5, simplify=1.0)
    assert simple.is_valid
    assert len(simple.exterior.coords) < len(exact.exterior.coords) / 2
    assert simple.hausdorff_distance(exact) <= 1.0 + 1e-9


@pytest.mark.parametrize('shape', [(4,), (2, 4, 4)])
def test_other_dimensions_are_refused(shape):
    with pytest.raises(DataError, match=r'\(H, W\)'):
        mask_to_polygons(np.zeros(shape))


def test_other_connectivity_is_refused():
    with pytest.raises(DataError, match='4 or 8'):
        mask_to_polygons(np.zeros((2, 2)), connectivity=6)


def test_float_labels_are_refused():
    with pytest.raises(DataError, match='float64'):
        regions_to_polygons(np.zeros((2, 2)))


def test_polygonal_flattens_and_refuses_lines():
    shapes = polygonal(
        [shapely.from_wkt('POLYGON Z ((0 0 5, 2 0 5, 2 2 5, 0 0 5))'), None, shapely.LineString()]
    )
    assert not shapely.has_z(shapes).any()
    assert [shape.is_empty for shape in shapes] == [False, True, True]
    with pytest.raises(DataError, match=r'truth: geometry 0 is a LineString'):
        polygonal([shapely.LineString([(0, 0), (1, 1)])], where='truth')
    nowhere = shapely.from_wkt('POLYGON ((0 0, Inf 1, 1 1, 0 0))')
    with pytest.raises(DataError, match=r'geometry 1 has a coordinate that is no number'):
        polygonal([shapely.box(0, 0, 1, 1), nowhere])


@pytest.mark.realdata
@pytest.mark.parametrize(
    ('name', 'count', 'holes'), [('label', 171297, 869), ('pred', 139803, 1395)]
)
def test_real_cube(real_data, name, count, holes):
    stack = read_mask_stack(real_data / f'spacenet7_cube/sn7_cube_{name}.gif')
    assert stack.shape == (19, 1024, 1024)
    frames = [mask_to_polygons(mask, 0.5) for mask in stack]
    polygons = np.concatenate(frames)
    assert len(polygons) == count
    assert (shapely.get_num_interior_rings(polygons) > 0).sum() == holes
    assert (shapely.get_type_id(polygons) == 3).all()
    assert shapely.is_valid(frames[7]).all()
