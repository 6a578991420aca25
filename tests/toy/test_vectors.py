"""Buildings and roads as vectors agree with the rasters drawn from them."""

from __future__ import annotations

import numpy as np
import pytest
from rasterio.features import rasterize
from rasterio.transform import from_origin
from shapely.geometry import Polygon

from rsmm.toy.materials import Cover
from rsmm.toy.vectors import distance_to_line, month_number
from rsmm.toy.world import World


@pytest.fixture(scope='module')
def world():
    return World(0)


@pytest.fixture(scope='module')
def bounds(world):
    """A square kilometre and a bit on the growing edge of a town."""
    towns = world.towns((400_000, 5_050_000, 440_000, 5_090_000))
    x, y, radius = towns[np.argmax(towns[:, 2])]
    left, bottom = x + 0.35 * radius, y - 500
    return left, bottom, left + 1_000, bottom + 1_000


def test_polygons_match_the_raster(world, bounds):
    left, bottom, right, top = bounds
    buildings = world.buildings((left - 80, bottom - 80, right + 80, top + 80), '2019-07-01')
    assert len(buildings) > 100
    size = round(right - left)
    survey = world.survey(left, top, size, 1.0, '2019-07-01')
    burnt = rasterize(
        [(Polygon(b.polygon), k + 1) for k, b in enumerate(buildings)],
        (size, size), transform=from_origin(left, top, 1, 1), dtype='int32',
    )  # fmt: skip
    ids = np.array([0, *(b.id for b in buildings)], np.uint64)[burnt].ravel()
    assert (ids == survey.building).mean() > 0.999
    np.testing.assert_array_equal(survey.building != 0, survey.cover == Cover.BUILDING)


def test_buildings_persist_and_accumulate(world, bounds):
    everything = {b.id: b for b in world.buildings(bounds)}
    earlier = None
    for date in ('2010-01-01', '2015-01-01', '2020-01-01', '2024-12-01'):
        now = world.buildings(bounds, date)
        month = month_number(int(date[:4]), int(date[5:7]))
        assert {b.id for b in now} == {i for i, b in everything.items() if b.built <= month}
        for b in now:
            np.testing.assert_array_equal(b.polygon, everything[b.id].polygon)
        if earlier is not None:
            assert earlier <= {b.id for b in now}
        earlier = {b.id for b in now}
    assert len(earlier) > len(world.buildings(bounds, '2010-01-01'))


def test_windows_tile_the_buildings(world, bounds):
    left, bottom, right, top = bounds
    middle = (left + right) / 2
    halves = [
        {b.id for b in world.buildings(part)}
        for part in ((left, bottom, middle, top), (middle, bottom, right, top))
    ]
    assert not halves[0] & halves[1]
    assert halves[0] | halves[1] == {b.id for b in world.buildings(bounds)}


def test_footprints_are_simple_and_apart(world, bounds):
    shapes = [Polygon(b.polygon) for b in world.buildings(bounds)]
    assert all(shape.is_valid and 15 < shape.area < 20_000 for shape in shapes)
    assert all(shape.exterior.is_ccw for shape in shapes)
    from shapely import STRtree

    pairs = STRtree(shapes).query(shapes, predicate='overlaps')
    assert pairs.size == 0


def test_no_town_no_buildings(world):
    sea = (-3_000_000.0, 0.0, -2_999_000.0, 1_000.0)
    found = world.buildings(sea)
    assert all(isinstance(b.id, int) for b in found)


def test_roads_are_drawn_where_their_lines_run(world):
    left, top, size = 412_000.0, 5_090_000.0, 500
    survey = world.survey(left, top, size, 10.0, '2018-06-15')
    cover = survey.cover.reshape(size, size)
    box = (left, top - size * 10, left + size * 10, top)
    highways = [r for r in world.roads(box, '2018-06-15') if r.kind == 'highway']
    points = survey.grid.points()
    near = np.full(size * size, np.inf)
    for road in highways:
        near = np.minimum(
            near, distance_to_line(points.x, points.y, road.line, 60) - road.width / 2
        )
    np.testing.assert_array_equal(near.reshape(size, size) <= 0, cover == Cover.HIGHWAY)
    assert (cover == Cover.HIGHWAY).any()


def test_roads_meet_at_junctions(world):
    roads = [
        r for r in world.roads((400_000, 5_000_000, 440_000, 5_040_000)) if r.kind == 'highway'
    ]
    ends = np.concatenate([[r.line[0], r.line[-1]] for r in roads])
    _, counts = np.unique(np.round(ends, 3), axis=0, return_counts=True)
    assert (counts > 1).sum() > len(roads) / 4
    assert len({r.id for r in roads}) == len(roads)
