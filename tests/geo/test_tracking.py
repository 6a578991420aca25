"""Identity tracking: golden cases, switches, empty months, both implementations alike."""

import json

import numpy as np
import pytest
import shapely

from rsmm.errors import ConfigError, DataError
from rsmm.geo import (
    mask_to_polygons,
    regions_to_polygons,
    track_footprints,
    track_labels,
    track_masks,
)
from rsmm.geo.tracking import UNCONFIRMED

NAMES = (
    'basic', 'gap_recovery', 'drift_against_frozen_master', 'larger_polygon_first',
    'master_exclusive', 'new_ids_monotonic', 'touching_is_not_match', 'iou_equal_threshold',
    'reverse_order', 'random_0', 'random_1', 'real_gt',
)  # fmt: skip


@pytest.fixture(scope='module')
def cases(repo_root):
    path = repo_root / 'tests/data/sn7_tracker_golden.json'
    return {case['name']: case for case in json.loads(path.read_text())['cases']}


def square(x, y=0.0, side=4.0):
    return shapely.box(x, y, x + side, y + side)


def test_every_golden_case_is_listed(cases):
    assert set(cases) == set(NAMES)


@pytest.mark.parametrize('name', NAMES)
def test_golden_cases(cases, name):
    case = cases[name]
    frames = [list(shapely.from_wkt(frame)) for frame in case['frames']]
    result = track_footprints(frames, case['min_iou'], case['reverse_order'])
    for found, expected in zip(result, case['expected'], strict=True):
        assert [name for name, _ in found] == [entry['id'] for entry in expected]
        np.testing.assert_allclose(
            [iou for _, iou in found], [entry['iou'] for entry in expected], atol=1e-9
        )


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('reverse', [False, True])
def test_masks_and_polygons_give_the_same(seed, reverse):
    rng = np.random.default_rng(seed)
    smooth = np.kron(rng.normal(size=(7, 9, 9)), np.ones((1, 4, 4)))
    stack = smooth + 0.6 * rng.normal(size=smooth.shape)
    polygons = [mask_to_polygons(frame) for frame in stack]
    assert track_masks(stack, 0.2, reverse) == track_footprints(polygons, 0.2, reverse)


@pytest.mark.parametrize('reverse', [False, True])
def test_touching_instances_of_label_rasters_stay_apart(reverse):
    rng = np.random.default_rng(3)
    labels = [np.kron(rng.integers(0, 60, (8, 8)), np.ones((3, 3), int)) for _ in range(5)]
    polygons = [list(regions_to_polygons(raster, 10).values()) for raster in labels]
    expected = track_footprints(polygons, 0.2, reverse)
    assert track_labels(labels, 0.2, reverse, min_area=10) == expected
    assert any(iou for month in expected for _, iou in month)


def test_moving_the_stack_changes_no_identity():
    # Half a pixel off the polygons take the geometry path; halves are exact, so areas still tie.
    rng = np.random.default_rng(5)
    frames = [mask_to_polygons(rng.normal(size=(30, 30)) > 0.3, 0.5) for _ in range(4)]
    moved = [list(shapely.transform(frame, lambda xy: xy + 0.5)) for frame in frames]
    plain, shifted = track_footprints(frames), track_footprints(moved)
    for a, b in zip(plain, shifted, strict=True):
        assert [name for name, _ in a] == [name for name, _ in b]
        np.testing.assert_allclose([iou for _, iou in a], [iou for _, iou in b], atol=1e-9)


@pytest.mark.parametrize('empty', [0, 1, 2])
def test_empty_months_anywhere(empty):
    frames = [[square(0), square(10, side=6)] for _ in range(3)]
    frames[empty] = []
    result = track_footprints(frames)
    assert result[empty] == []
    for month in set(range(3)) - {empty}:
        assert [name for name, _ in result[month]] == [1, 0]


def test_no_months_and_only_empty_months():
    assert track_footprints([]) == []
    assert track_footprints([[], []]) == [[], []]
    assert track_masks(np.zeros((2, 5, 5))) == [[], []]


def test_within_a_month_ids_are_unique():
    rng = np.random.default_rng(0)
    frames = [
        [square(*rng.uniform(0, 30, 2), rng.uniform(2, 7)) for _ in range(40)] for _ in range(5)
    ]
    for frame in track_footprints(frames, 0.1):
        ids = [name for name, _ in frame]
        assert len(set(ids)) == len(ids)


def test_a_building_hidden_for_months_recovers_its_id():
    frames = [[square(0)], [], [], [square(0.5)]]
    assert track_footprints(frames)[3] == [(0, pytest.approx(14 / 18))]


def test_master_update_follows_drift():
    drifting = [[square(step)] for step in range(6)]
    frozen = {name for frame in track_footprints(drifting) for name, _ in frame}
    latest = {name for frame in track_footprints(drifting, master='latest') for name, _ in frame}
    assert len(frozen) > 1
    assert latest == {0}


def test_master_median_resists_one_bad_shape():
    frames = [[square(0)], [square(0)], [square(0, side=8)], [square(0)]]
    by_median = track_footprints(frames, 0.2, master='median')
    by_latest = track_footprints(frames, 0.2, master='latest')
    assert by_median[3] == [(0, 1.0)]
    assert by_latest[3][0][1] == pytest.approx(0.25)


def test_look_ahead_refuses_flashes_and_believes_the_last_month():
    frames = [[square(0)], [square(0), square(20)], [square(0)], [square(0), square(40)]]
    result = track_footprints(frames, look_ahead=2)
    assert result[1][1] == (UNCONFIRMED, 0.0)
    assert result[3] == [(0, 1.0), (1, 0.0)]


def test_invalid_shape_founds_a_building_but_is_never_met_again():
    bowtie = shapely.Polygon([(0, 0), (4, 4), (4, 0), (0, 4)])
    result = track_footprints([[bowtie], [square(0)]], 0.01)
    assert result == [[(0, 0.0)], [(1, 0.0)]]
    # As a proposal it is repaired to a triangle of 4 by the zero buffer, and that area counts, not
    # the 0 that its crossing ring encloses.
    assert track_footprints([[square(0)], [bowtie]])[1] == [(0, 0.25)]


def test_bad_arguments():
    with pytest.raises(ConfigError, match='median'):
        track_footprints([], master='newest')
    with pytest.raises(ConfigError, match='from 0 to 1'):
        track_footprints([], min_iou=20)
    with pytest.raises(DataError, match='month 1: geometry 0 is a GeometryCollection'):
        track_footprints([[], [shapely.GeometryCollection([square(0), shapely.Point(1, 1)])]])
    with pytest.raises(DataError, match='one size'):
        track_masks([np.zeros((4, 4)), np.zeros((4, 5))])
    with pytest.raises(DataError, match='integers from 0'):
        track_labels([np.zeros((4, 4))])
    with pytest.raises(ConfigError, match='from 0 to 1'):
        track_masks([np.zeros((4, 4))], min_iou=20)
