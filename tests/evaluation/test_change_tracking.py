"""SCOT and MOTA: golden cases, invariants, an independent oracle, speed and memory."""

import json
import tracemalloc

import numpy as np
import pytest
import shapely
from scipy.optimize import linear_sum_assignment

from rsmm.errors import ConfigError, DataError
from rsmm.evaluation.functional import format_scot, match_footprints, mota, scot
from rsmm.geo import (
    FootprintSet,
    make_cube,
    mask_to_polygons,
    read_mask_stack,
    track_footprints,
)

AOI = 'L15-0331E-1257N_1327_3160_13'
# Malformed input: refused instead of scored as the reference does.
REFUSED = {
    'duplicate_prop_id_same_frame',
    'duplicate_prop_id_two_pieces',
    'duplicate_truth_id_same_frame',
}


def load(repo_root):
    return json.loads((repo_root / 'tests/data/scot_golden.json').read_text())['cases']


def pytest_generate_tests(metafunc):
    if 'case' in metafunc.fixturenames:
        cases = load(metafunc.config.rootpath)
        metafunc.parametrize('case', cases, ids=[case['name'] for case in cases])


def cubes(case, kind):
    return {
        aoi: {
            frame['timestep']: [(row['id'], shapely.from_wkt(row['wkt'])) for row in frame[kind]]
            for frame in cube['frames']
        }
        for aoi, cube in case['aois'].items()
    }


@pytest.mark.filterwarnings('ignore:SCOT')
def test_golden_cases(case):
    params = case['params']
    arguments = cubes(case, 'gt'), cubes(case, 'pred'), params['miniou']
    if case['name'] in REFUSED:
        with pytest.raises(DataError, match=r'2018_\d\d: id .* occurs 2 times'):
            scot(*arguments)
        return
    result = scot(*arguments, params['min_area'] or 0.0, params['beta'])
    expected = case['expected']
    if 'error' in expected:
        assert result['score'] == 0
        return
    assert result['score'] == pytest.approx(expected['score'], abs=1e-9)
    assert set(result['per_aoi']) == set(expected['per_aoi'])
    for aoi, numbers in expected['per_aoi'].items():
        found = result['per_aoi'][aoi]
        assert {name: found[name] for name in numbers} == pytest.approx(numbers, abs=1e-9)
        check_frames(found['per_frame'], expected['per_frame'][aoi])


def check_frames(found, expected):
    assert [frame['timestep'] for frame in found] == [frame['timestep'] for frame in expected]
    for ours, theirs in zip(found, expected, strict=True):
        matches = theirs.pop('matches')
        assert {name: ours[name] for name in theirs} == pytest.approx(theirs) or ours == theirs
        assert sorted(map(tuple, ours['matches'])) == sorted(map(tuple, matches))


def random_frame(rng, count=25, first_id=0):
    corners = rng.uniform(0, 40, (count, 2))
    sides = rng.uniform(2, 9, (count, 2))
    boxes = shapely.box(*corners.T, *(corners + sides).T)
    return [(first_id + k, box) for k, box in enumerate(boxes)]


@pytest.mark.parametrize('seed', range(5))
def test_matching_equals_the_dense_assignment(seed):
    rng = np.random.default_rng(seed)
    sets = [FootprintSet([box for _, box in random_frame(rng, 60)]) for _ in range(2)]
    a, b = (s.geometry for s in sets)
    common = shapely.area(shapely.intersection(a[:, None], b[None]))
    iou = common / (sets[0].area[:, None] + sets[1].area[None] - common)
    reward = np.where(iou > 0.25, 100 + iou, 0)
    rows, columns = linear_sum_assignment(-reward)
    pairs = match_footprints(*sets)
    assert len(pairs) == (reward[rows, columns] > 0).sum()
    assert sum(reward[pair] for pair in pairs) == pytest.approx(reward[rows, columns].sum())


def random_cube(seed, months=5, buildings=20):
    rng = np.random.default_rng(seed)
    base = random_frame(rng, buildings)
    truth, proposals = {}, {}
    for month in range(months):
        name = f'2018_{month + 1:02d}'
        here = [row for k, row in enumerate(base) if k <= 12 + 2 * month]
        truth[name] = here
        proposals[name] = [
            (k + 500, shapely.affinity.translate(box, *rng.normal(0, 0.7, 2)))
            for k, box in here
            if rng.random() > 0.1
        ]
    return {AOI: truth}, {AOI: proposals}


def numbers(result):
    return {name: v for name, v in result['per_aoi'][AOI].items() if name != 'per_frame'}


@pytest.mark.parametrize('seed', range(3))
def test_invariances(seed):
    truth, proposals = random_cube(seed)
    base = scot(truth, proposals)
    renamed = {AOI: {m: [(f'b{n}', g) for n, g in reversed(f)] for m, f in proposals[AOI].items()}}
    moved = [
        {AOI: {m: [(n, shapely.affinity.translate(g, 64, 32)) for n, g in f] for m, f in c.items()}}
        for c in (truth[AOI], proposals[AOI])
    ]
    for other in (scot(truth, renamed), scot(*moved)):
        assert numbers(other) == pytest.approx(numbers(base))


def test_truth_against_itself_is_perfect_when_something_changes():
    truth, _ = random_cube(0)
    result = scot(truth, truth)
    assert result['score'] == result['mota'] == 1
    static = {AOI: dict.fromkeys(truth[AOI], truth[AOI]['2018_01'])}
    assert scot(static, static)['score'] == 0
    assert scot(static, static)['per_aoi'][AOI]['track_score'] == 1


def test_beta_weighs_the_tracking_term():
    truth, proposals = random_cube(1)
    track, change = (numbers(scot(truth, proposals))[k] for k in ('track_score', 'change_score'))
    assert scot(truth, proposals, beta=0)['score'] == pytest.approx(change)
    assert scot(truth, proposals, beta=1e6)['score'] == pytest.approx(track)


def test_mota_counts_switches_on_the_truth_side():
    box, other = shapely.box(0, 0, 4, 4), shapely.box(10, 0, 14, 4)
    truth = {AOI: {m: [(1, box), (2, other)] for m in ('2018_01', '2018_02', '2018_03')}}
    proposals = {AOI: {m: [(7, box)] for m in ('2018_01', '2018_02')} | {'2018_03': [(8, box)]}}
    # 6 truth footprints, 3 missed, 1 switch.
    assert mota(truth, proposals) == pytest.approx(1 - 4 / 6)
    with pytest.warns(UserWarning, match='no truth'):
        assert np.isnan(mota({AOI: {}}, {}))


def test_without_truth_the_score_is_zero_with_a_warning():
    with pytest.warns(UserWarning, match='no truth is left'):
        result = scot({AOI: {'2018_01': [(1, shapely.box(0, 0, 1, 1))]}}, {})
    assert result['score'] == 0
    assert np.isnan(result['mota'])


def test_proposals_without_truth_are_counted_and_reported():
    box = shapely.box(0, 0, 4, 4)
    truth = {AOI: {'2018_01': [(1, box)]}}
    proposals = {AOI: {'2018_01': [(1, box)], '2018_02': [(1, box)]}, 'elsewhere': {'2018_01': []}}
    with pytest.warns(UserWarning, match='1 proposals are not scored'):
        result = scot(truth, proposals)
    assert result['ignored'] == {'aois': ['elsewhere'], 'months': [f'{AOI}/2018_02'], 'rows': 1}


def test_other_coordinates_are_not_scored_in_silence():
    box = shapely.box(0, 0, 4, 4)
    truth = {AOI: {'2018_01': [(1, box)], '2018_02': [(1, box)]}}
    on_the_map = shapely.affinity.translate(box, 1.3e7, 4e6)
    with pytest.warns(UserWarning, match=f'wholly apart in 1 AOIs .{AOI}'):
        assert scot(truth, {AOI: {'2018_01': [(1, on_the_map)], '2018_02': []}})['score'] == 0


def test_bad_geometry_names_its_place():
    truth = {AOI: {'2018_01': [(1, shapely.box(0, 0, 4, 4))]}}
    proposals = {AOI: {'2018_01': [(1, shapely.GeometryCollection([shapely.Point(1, 1)]))]}}
    with pytest.raises(DataError, match=f'proposals {AOI} 2018_01: geometry 0 is a Geom'):
        scot(truth, proposals)


def test_self_crossing_polygons_are_reported():
    bowtie = shapely.Polygon([(0, 0), (4, 4), (4, 0), (0, 4)])
    truth = {AOI: {'2018_01': [(1, shapely.box(0, 0, 4, 4))]}}
    with pytest.warns(UserWarning, match='1 self-crossing'):
        assert scot(truth, {AOI: {'2018_01': [(1, bowtie)]}})['invalid'] == 1


def test_areas_without_proposals_are_named():
    truth, _ = random_cube(0)
    for nothing in ({}, {AOI: {}}, {AOI: {'2018_01': []}}):
        with pytest.warns(UserWarning, match=f'no proposals for 1 of 1 AOIs .{AOI}'):
            assert scot(truth, nothing)['score'] == 0


@pytest.mark.filterwarnings('ignore:SCOT')
def test_a_union_of_nothing_divides_nothing():
    # The bow tie has no shoelace area, and its repaired shape covers the truth exactly.
    bowtie = shapely.Polygon([(0, 0), (10, 10), (0, 10), (10, 0)])
    lobe = shapely.get_parts(bowtie.buffer(0))[0]
    with np.errstate(all='raise'):
        result = scot({AOI: {'2018_01': [(1, lobe)]}}, {AOI: {'2018_01': [(1, bowtie)]}})
    assert result['per_aoi'][AOI]['track_tp'] == 1


@pytest.mark.parametrize(
    'settings', [{'min_iou': 25}, {'min_iou': float('nan')}, {'beta': -1}, {'min_area': -4}]
)
def test_impossible_settings_are_refused(settings):
    truth, proposals = random_cube(0)
    with pytest.raises(ConfigError, match='Expected min_iou from 0 to 1'):
        scot(truth, proposals, **settings)


def test_numbers_are_plain_whatever_the_ids_are():
    truth, proposals = random_cube(0)
    renamed = {AOI: {m: [(np.int64(n), g) for n, g in f] for m, f in proposals[AOI].items()}}
    found = numbers(scot(truth, renamed))
    assert {type(value) for value in found.values()} == {int, float}


def test_table_lists_all_numbers():
    truth, proposals = random_cube(2)
    text = format_scot(scot(truth, proposals))
    assert text.splitlines()[0].split() == (
        ['mm', 'TP', 'FP', 'FN', 'T', 'cTP', 'cFP', 'cFN', 'C', 'SCOT', 'MOTA']
    )
    assert text.splitlines()[1].startswith(AOI)


def grid(shift, count=5000):
    rows, columns = np.divmod(np.arange(count), 71)
    x, y = columns * 10.0 + shift, rows * 10.0 + shift
    return list(enumerate(shapely.box(x, y, x + 6, y + 7)))


def test_memory_of_a_dense_month_stays_small():
    truth = {AOI: {m: grid(0.0) for m in ('2018_01', '2018_02')}}
    proposals = {AOI: {m: grid(0.4) for m in ('2018_01', '2018_02')}}
    tracemalloc.start()
    result = scot(truth, proposals)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert numbers(result)['track_tp'] == 10_000
    assert peak < 50e6  # a dense 5000 x 5000 matrix alone has 200 MB


def test_one_long_chain_of_overlaps_needs_no_dense_matrix():
    x = np.arange(3000) * 4.0
    frames = [list(enumerate(shapely.box(x + s, 0, x + s + 4, 4))) for s in (0.0, 2.0)]
    truth, proposals = ({AOI: {'2018_01': frame}} for frame in frames)
    tracemalloc.start()
    result = scot(truth, proposals)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert numbers(result)['track_tp'] == 3000
    assert peak < 50e6


@pytest.mark.slow
@pytest.mark.realdata
def test_real_cube(real_data):
    frames = {
        name: [
            mask_to_polygons(mask, 0.5)
            for mask in read_mask_stack(real_data / f'spacenet7_cube/sn7_cube_{name}.gif')
        ]
        for name in ('label', 'pred')
    }
    months = [f'{2018 + k // 12}_{k % 12 + 1:02d}' for k in range(19)]
    truth, proposals = (
        {AOI: make_cube(months, frames[name], track_footprints(frames[name]))}
        for name in ('label', 'pred')
    )
    result = scot(truth, proposals)
    found = numbers(result)
    assert (found['track_tp'] + found['mismatches']) + (
        found['track_fn'] - found['mismatches']
    ) == 171_297
    # The published scorer finds the same on these tracks; ids of equal areas follow raster order.
    assert found['mismatches'] == 3415
    assert result['score'] == pytest.approx(0.4922250597514648)
    assert result['tied'] == 2055
    with_rows_in_turn = scot(truth, proposals, order='rows')
    assert numbers(with_rows_in_turn)['mismatches'] == 3413
