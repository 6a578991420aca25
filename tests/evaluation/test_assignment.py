"""The sparse assignment equals SciPy's dense one, ties included; tied pairs by brute force."""

import itertools

import numpy as np
import pytest
import shapely
from scipy.optimize import linear_sum_assignment

from rsmm.errors import ConfigError
from rsmm.evaluation.functional import scot
from rsmm.evaluation.functional.assignment import assign_like_dense
from rsmm.evaluation.functional.footprints import match_with_ties
from rsmm.geo import FootprintSet

AOI = 'L15-0331E-1257N_1327_3160_13'
# Rewards from few values tie often; those from small fractions also tie in sums.
KINDS = ('few', 'fractions', 'uniform', 'one')


def rewards(kind, seed):
    rng = np.random.default_rng([KINDS.index(kind), seed])
    shape = tuple(rng.integers(1, 40, 2))
    iou = {
        'few': rng.choice([0.3, 0.5, 1 / 3, 0.6, 0.75], shape),
        'fractions': rng.integers(5, 20, shape) / rng.integers(20, 30, shape),
        'uniform': rng.uniform(0.26, 1, shape),
        'one': np.ones(shape),
    }[kind]
    return np.where(rng.random(shape) < rng.choice([0.02, 0.1, 0.3, 0.9]), 100 + iou, 0)


def sparse(reward):
    row, column = np.nonzero(reward)
    shuffled = np.random.default_rng(0).permutation(len(row))  # the order of the pairs is free
    row, column = row[shuffled], column[shuffled]
    return assign_like_dense(row, column, reward[row, column], reward.shape)


def dense(reward):
    row, column = linear_sum_assignment(reward, maximize=True)
    real = reward[row, column] > 0
    return row[real], column[real]


@pytest.mark.parametrize('kind', KINDS)
def test_the_choice_is_scipys(kind):
    tied = 0
    for seed in range(400):
        reward = rewards(kind, seed)
        found = sparse(reward)
        expected = dense(reward)
        assert np.array_equal(found.row, expected[0]), seed
        assert np.array_equal(found.column, expected[1]), seed
        tied += int(found.tied.sum())
    assert (tied == 0) == (kind == 'uniform')


def test_prices_lifted_above_zero_by_rounding():
    # 0.6 + 0.3 and 0.75 + ... cancel up to the last digit: the case that found the rule.
    reward = np.zeros((6, 9))
    for i, j, iou in [
        (0, 5, 0.6), (1, 2, 1 / 3), (1, 3, 0.6), (2, 1, 0.6), (2, 4, 0.5), (2, 7, 0.75),
        (2, 8, 0.75), (3, 7, 0.3), (5, 0, 0.75), (5, 3, 0.3), (5, 4, 0.75), (5, 5, 0.75),
        (5, 7, 0.6),
    ]:  # fmt: skip
        reward[i, j] = 100 + iou
    found = sparse(reward)
    assert list(zip(found.row, found.column, strict=True)) == list(zip(*dense(reward), strict=True))


@pytest.mark.parametrize('seed', range(60))
def test_tied_pairs_are_those_that_another_best_assignment_lacks(seed):
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(1, 5, 2)
    iou = rng.choice([0.3, 0.5, 0.75], (rows, columns))
    reward = np.where(rng.random((rows, columns)) < 0.6, 100 + iou, 0)
    # Every way to give each row one column or none (the columns from `columns` on).
    ways = []
    for way in itertools.permutations(range(columns + rows), int(rows)):
        pairs = {(i, j) for i, j in enumerate(way) if j < columns and reward[i, j]}
        ways.append((sum(reward[pair] for pair in pairs), pairs))
    top = max(total for total, _ in ways)
    sure = set.intersection(*(pairs for total, pairs in ways if total > top - 1e-9))
    found = sparse(reward)
    fixed = {(i, j) for i, j, t in zip(found.row, found.column, found.tied, strict=True) if not t}
    assert fixed == sure


def blocks(seed, count=60):
    """Small boxes on the pixel grid that overlap one another."""
    rng = np.random.default_rng(seed)
    corner = rng.integers(0, 24, (count, 2))
    side = rng.integers(2, 4, (count, 2))
    return list(shapely.box(*corner.T, *(corner + side).T))


def dense_matrix(truth, proposals, min_iou=0.25):
    a, b = np.array(truth, object)[:, None], np.array(proposals, object)[None]
    common = shapely.area(shapely.intersection(a, b))
    iou = common / (shapely.area(a) + shapely.area(b) - common)
    return np.where(iou > min_iou, 100 + iou, 0)


def test_footprints_on_the_pixel_grid_match_as_on_the_dense_route():
    tied = 0
    for seed in range(25):
        truth, proposals = blocks(seed), blocks(seed + 1000, 45 + seed)
        pairs, ties = match_with_ties(FootprintSet(truth), FootprintSet(proposals))
        assert pairs == list(zip(*map(list, dense(dense_matrix(truth, proposals))), strict=True))
        tied += ties
    assert tied > 30


def test_the_order_is_that_of_the_matrix():
    truth, proposals = blocks(3), blocks(4)
    rng = np.random.default_rng(0)
    order = rng.permutation(60), rng.permutation(60)
    pairs, _ = match_with_ties(FootprintSet(truth), FootprintSet(proposals), order=order)
    row, column = dense(dense_matrix(truth, proposals)[np.ix_(*order)])
    assert pairs == sorted(zip(order[0][row].tolist(), order[1][column].tolist(), strict=True))
    assert pairs != match_with_ties(FootprintSet(truth), FootprintSet(proposals))[0]


def cubes(seed):
    """Truth and proposals of three months whose ids stand in no order."""
    rng = np.random.default_rng(seed)
    months = ['2018_01', '2018_02', '2018_03']
    return [
        {AOI: {m: list(zip(rng.permutation(60).tolist(), blocks(s + k), strict=True))
               for k, m in enumerate(months)}}
        for s in (seed, seed + 500)
    ]  # fmt: skip


@pytest.mark.parametrize(('order', 'key'), [('ids', int), ('text', str), ('rows', lambda name: 0)])
def test_scot_takes_the_ids_in_the_order_asked_for(order, key):
    truth, proposals = cubes(11)
    result = scot(truth, proposals, order=order)
    for frame in result['per_frame'][AOI]:
        sides = [sorted(c[AOI][frame['timestep']], key=lambda row: key(row[0])) for c in
                 (truth, proposals)]  # fmt: skip
        row, column = dense(dense_matrix(*([shape for _, shape in side] for side in sides)))
        expected = {(sides[0][i][0], sides[1][j][0]) for i, j in zip(row, column, strict=True)}
        assert set(map(tuple, frame['matches'])) == expected
    assert result['tied'] == sum(frame['tied'] for frame in result['per_frame'][AOI]) > 0


def test_orders_differ_and_unknown_ones_are_refused():
    truth, proposals = cubes(11)
    found = {o: scot(truth, proposals, order=o)['per_frame'][AOI] for o in ('ids', 'text', 'rows')}
    matches = {o: [frame['matches'] for frame in frames] for o, frames in found.items()}
    assert matches['ids'] != matches['text'] != matches['rows']
    with pytest.raises(ConfigError, match='Expected one of ids, text, rows'):
        scot(truth, proposals, order='area')


def test_ids_of_two_kinds_are_ordered_as_text():
    truth, proposals = cubes(11)
    mixed = {m: [(str(n) if n % 2 else n, g) for n, g in f] for m, f in truth[AOI].items()}
    found, expected = scot({AOI: mixed}, proposals), scot(truth, proposals, order='text')
    # The proposals' ids are all numbers, so only the truth follows its text.
    both = {AOI: {m: [(str(n), g) for n, g in f] for m, f in proposals[AOI].items()}}
    assert found['tied'] == expected['tied']
    assert (
        scot({AOI: mixed}, both)['per_aoi'][AOI]['track_tp']
        == (expected['per_aoi'][AOI]['track_tp'])
    )
