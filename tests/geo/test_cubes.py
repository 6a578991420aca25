"""The switches after the tracker."""

import numpy as np
import pytest
import shapely

from rsmm.errors import DataError
from rsmm.geo import (
    building_history,
    clip_to_valid,
    fill_gaps,
    filter_tracks,
    make_cube,
    merge_same_ids,
    sightings,
)

BOX = shapely.box(0, 0, 4, 4)


def cube(*months):
    """A cube from lists of ids; months are named in order."""
    return {f'2018_{k + 1:02d}': [(name, BOX) for name in ids] for k, ids in enumerate(months)}


def ids(found):
    return [[name for name, _ in found[month]] for month in sorted(found)]


def test_make_cube_leaves_out_refused_footprints():
    made = make_cube(['2018_01', '2018_02'], [[BOX, BOX], []], [[(3, 0.0), (-1, 0.0)], []])
    assert ids(made) == [[3], []]


def test_make_cube_refuses_what_does_not_belong_together():
    with pytest.raises(DataError, match='do not belong'):
        make_cube(['2018_01'], [[BOX]], [[]])
    with pytest.raises(DataError, match='1 names for 2 months'):
        make_cube(['2018_01'], [[], []], [[], []])


def test_sightings_are_positions_in_time():
    assert sightings({'2019_01': [(1, BOX)], '2018_12': [(2, BOX), (1, BOX)]}) == {
        2: [0],
        1: [0, 1],
    }


def test_filter_by_months_and_presence():
    found = cube([1, 2], [1], [1, 3], [1, 3])
    assert ids(filter_tracks(found, min_months=2)) == [[1], [1], [1, 3], [1, 3]]
    # Id 3 was there in all months since its first; id 2 in one of four.
    assert ids(filter_tracks(found, min_presence=0.5)) == [[1], [1], [1, 3], [1, 3]]
    assert ids(filter_tracks(found)) == ids(found)


def test_gaps_between_sightings_are_filled_and_no_others():
    found = cube([1], [], [], [1, 2], [], [2], [])
    assert ids(fill_gaps(found)) == [[1], [1], [1], [1, 2], [2], [2], []]
    assert ids(fill_gaps(found, max_gap=1)) == [[1], [], [], [1, 2], [2], [2], []]
    assert ids(fill_gaps(found, min_months=3)) == ids(found)


def test_filling_does_not_change_its_input_and_is_idempotent():
    found = cube([1], [], [1])
    once = fill_gaps(found)
    assert ids(found) == [[1], [], [1]]
    assert ids(fill_gaps(once)) == ids(once)


def test_nothing_is_filled_where_there_is_no_data():
    valid = np.ones((8, 8), bool)
    valid[:, 2:] = False
    found = fill_gaps(cube([1], [], [1]), valid={'2018_02': valid})
    assert found['2018_02'][0][1].equals(shapely.box(0, 0, 2, 4))
    valid[:] = False
    assert ids(fill_gaps(cube([1], [], [1]), valid={'2018_02': valid})) == [[1], [], [1]]


def test_clip_keeps_what_is_valid():
    assert clip_to_valid([(1, BOX)], None) == [(1, BOX)]
    assert clip_to_valid([(1, BOX)], np.ones((5, 5), bool)) == [(1, BOX)]
    bowtie = shapely.Polygon([(0, 0), (4, 4), (4, 0), (0, 4)])
    right = np.arange(6) >= np.full((6, 1), 3)
    rows = clip_to_valid([(1, BOX), (2, bowtie), (3, shapely.box(0, 0, 3, 3))], right)
    assert [(name, shape.area) for name, shape in rows] == [(1, 4), (2, 3)]


def test_same_ids_are_united():
    parts = {'2018_01': [(1, BOX), (1, shapely.box(4, 0, 6, 4)), (2, BOX)]}
    merged = merge_same_ids(parts)['2018_01']
    assert [(name, shape.area) for name, shape in merged] == [(1, 24), (2, 16)]


def test_history_of_buildings():
    history = building_history(cube([1], [1, 2], [2], []))
    assert history.pop('geometry') == [BOX, BOX]
    assert history == {
        'id': [1, 2],
        'first_seen': ['2018_01', '2018_02'],
        'last_seen': ['2018_02', '2018_03'],
        'months_seen': [2, 2],
    }
