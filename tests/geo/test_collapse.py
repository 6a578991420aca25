"""Watershed separation and the temporal collapse on scenes with a known answer."""

import numpy as np
import pytest

from rsmm.errors import DataError
from rsmm.geo import CollapseRule, separate_body, temporal_collapse, watershed_instances

MONTHS, SIDE = 8, 40


def scene(noise=0.05):
    """Three buildings: one always there, one from month 3, one from the last month on."""
    rng = np.random.default_rng(0)
    p = np.clip(rng.normal(0.04, noise / 2, (MONTHS, SIDE, SIDE)), 0, 0.09)
    p[:, 4:10, 4:10] = 0.9
    p[3:, 20:26, 20:26] = 0.85
    p[7:, 30:36, 4:10] = 0.8
    return np.clip(p + noise * rng.normal(size=p.shape) * (p > 0.5), 0, 1)


def found(rows):
    """Centre of each building to the months in which it occurs."""
    table = {}
    for month, frame in enumerate(rows):
        for _, shape in frame:
            table.setdefault(tuple(np.round(shape.centroid.coords[0])), []).append(month)
    return table


def test_onsets():
    table = found(temporal_collapse(scene()))
    assert table[7.0, 7.0] == list(range(MONTHS))
    assert table[23.0, 23.0] == [3, 4, 5, 6, 7]
    assert table[7.0, 33.0] == [7]
    assert len(table) == 3


def test_a_building_keeps_one_shape_and_one_id():
    rows = temporal_collapse(scene())
    for name in {name for frame in rows for name, _ in frame}:
        assert len({shape.wkb for frame in rows for n, shape in frame if n == name}) == 1
    for frame in rows:
        assert len({name for name, _ in frame}) == len(frame)


def test_masked_months_have_no_rows_and_do_not_spoil_the_mean():
    p, valid = scene(), np.ones((MONTHS, SIDE, SIDE), bool)
    valid[5] = False
    p[5] = 0
    table = found(temporal_collapse(p, valid))
    assert table[7.0, 7.0] == [0, 1, 2, 3, 4, 6, 7]
    assert table[23.0, 23.0] == [3, 4, 6, 7]


def test_enlarged_probabilities_give_output_pixels():
    table = found(temporal_collapse(np.kron(scene(), np.ones((1, 3, 3))), scale=3))
    assert {(7.0, 7.0), (23.0, 23.0), (7.0, 33.0)} == set(table)


def test_empty_and_flat_stacks():
    assert temporal_collapse(np.zeros((3, 9, 9))) == [[], [], []]
    assert temporal_collapse(np.zeros((1, 9, 9)), np.zeros((1, 9, 9), bool)) == [[]]


def test_rule_changes_the_result():
    assert len(found(temporal_collapse(scene(), rule=CollapseRule(jump=0.99)))) < 3


def test_shapes_must_agree():
    with pytest.raises(DataError, match=r'\(T, H, W\)'):
        temporal_collapse(np.zeros((4, 4)))
    with pytest.raises(DataError, match=r'\(T, H, W\)'):
        temporal_collapse(np.zeros((2, 4, 4)), np.zeros((1, 4, 4), bool))
    with pytest.raises(DataError, match=r'\(T, H, W\)'):
        temporal_collapse(np.zeros((0, 4, 4)))


def test_watershed_separates_touching_buildings():
    score = np.zeros((10, 21))
    score[2:8, 2:19] = 0.5
    score[3:7, 4:9] = score[3:7, 12:17] = 0.9
    labels = watershed_instances(score, seed=0.7, region=0.3)
    assert labels.max() == 2
    assert (labels > 0).sum() == 6 * 17
    assert labels[5, 5] != labels[5, 15]
    assert watershed_instances(score, seed=0.95, region=0.3).max() == 0
    assert watershed_instances(score, seed=0.95, region=0.3, window=5).max() >= 2


def test_score_of_three_channels():
    assert separate_body(np.array([0.8]), np.array([0.5]), np.array([0.25])) == pytest.approx(0.45)
    assert separate_body(np.array([0.8])) == pytest.approx(0.8)
