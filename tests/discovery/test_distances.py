"""Distances, thresholds and persistence."""

import numpy as np
import pytest

from rsmm.discovery import (
    change_distances,
    noise_floor,
    otsu_threshold,
    persistent_change,
    pixel_features,
    sharpen_change,
    spread_change,
    temporary_change,
)
from rsmm.errors import DataError
from tests.discovery.golden import TOLERANCE, cases


@pytest.mark.parametrize('case', cases('change'))
def test_golden_change(case):
    d1, d2 = change_distances(np.array(case['features']))
    assert d1 == pytest.approx(np.array(case['d1']), abs=1e-12)
    assert d2 == pytest.approx(np.array(case['d2']), abs=1e-12)
    threshold = otsu_threshold(d1[:-1])
    assert threshold == pytest.approx(case['threshold'], abs=TOLERANCE)
    assert np.array_equal(persistent_change(d1, d2, threshold), case['persistent'])


@pytest.mark.parametrize('case', cases('otsu'))
def test_golden_otsu(case):
    found = otsu_threshold(np.array(case['values']), case['steps'])
    assert found == pytest.approx(case['threshold'], abs=TOLERANCE)


@pytest.mark.parametrize('case', cases('persistence'))
def test_golden_persistence(case):
    found = persistent_change(np.array(case['d1']), np.array(case['d2']), case['threshold'])
    assert np.array_equal(found, case['changed'])


@pytest.mark.parametrize('steps', [25, 200])
def test_otsu_of_the_specification(steps):
    values = np.array([0, 0.1, 0.1, 0.2, 0.2, 0.8, 0.9, 1])
    found = otsu_threshold(values, steps)
    assert found == pytest.approx(0.2)
    low, high = values[values <= found + 1e-9], values[values > found + 1e-9]
    share = len(low) / len(values)
    assert share * (1 - share) * (low.mean() - high.mean()) ** 2 == pytest.approx(
        0.142594, abs=1e-6
    )


@pytest.mark.parametrize('seed', range(5))
def test_otsu_equals_the_formula(seed):
    values = np.random.default_rng(seed).gamma(1, 1, (3, 50))
    candidates = values.min() + np.arange(25) * (values.max() - values.min()) / 25
    variances = []
    for candidate in candidates:
        low, high = values[values <= candidate], values[values > candidate]
        share = low.size / values.size
        variances.append(share * (1 - share) * (low.mean() - high.mean()) ** 2)
    assert otsu_threshold(values) == pytest.approx(candidates[np.argmax(variances)])


@pytest.mark.parametrize('values', [[], [0.1, np.nan], [0.1, np.inf]])
def test_otsu_refuses_what_has_no_threshold(values):
    with pytest.raises(DataError, match='Otsu needs values|NaN or infinity'):
        otsu_threshold(np.array(values))


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
@pytest.mark.parametrize('count', [1, 2, 3, 5])
def test_frames_without_a_partner_are_zero(count, dtype):
    """Trap: the original compares the last frames with the start of the series."""
    features = np.random.default_rng(0).standard_normal((count, 4, 3, 2))
    features = (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(dtype)
    d1, d2 = change_distances(features)
    assert d1.dtype == d2.dtype == dtype
    assert not d1[-1:].any()
    assert not d2[-2:].any()
    assert (d1[:-1] > 0).all()


def test_score_of_the_specification():
    features = np.array([[1, 0], [0.6, 0.8]]).reshape(2, 2, 1, 1)
    assert change_distances(features)[0][0] == pytest.approx(0.4)


def states(text):
    """Return unit features of one pixel from letters, one state a letter."""
    return np.stack([np.eye(4)['ABCD'.index(letter)] for letter in text])


SERIES = {
    # series: what two differences find, what a third leaves, what is not temporary
    'AAAABBBB': ('...x....', '...x....', '...x....'),  # built and stays
    'AAACAAAA': ('...x....', '...x....', '........'),  # a cloud of one frame: its departure
    'AAACCAAA': ('..x.x...', '....x...', '........'),  # of two frames
    'AAACBBBB': ('..xx....', '..xx....', '..xx....'),  # a cloud while it is built
    'AABBAABB': ('.x.x.x..', '........', '........'),  # seasons
    'AABBCCDD': ('.x.x.x..', '.x.x....', '.x.x.x..'),  # stages of one site
}


@pytest.mark.parametrize(('series', 'expected'), SERIES.items())
def test_what_stays_of_clouds_and_seasons(series, expected):
    features = states(series).reshape(len(series), 4, 1, 1)
    d1, d2 = change_distances(features)
    d3 = np.zeros_like(d1)
    d3[:-3] = 1 - np.einsum('tcyx,tcyx->tyx', features[:-3], features[3:])
    two = persistent_change(d1, d2, 0.5)
    three = persistent_change(d1, d2, 0.5, d3)
    lasting = two & ~temporary_change(features, two, 0.5)
    found = tuple(''.join('.x'[int(v)] for v in c.ravel()) for c in (two, three, lasting))
    assert found == expected


def test_a_threshold_may_differ_from_place_to_place():
    d1 = np.full((3, 1, 2), 0.4)
    assert persistent_change(d1, d1, np.array([[0.3, 0.5]]))[0].tolist() == [[True, False]]


def test_distances_of_two_series():
    with pytest.raises(DataError, match='not of one series'):
        persistent_change(np.zeros((3, 1, 1)), np.zeros((2, 1, 1)), 0.1)
    with pytest.raises(DataError, match=r'features are \(T, C, H, W\)'):
        change_distances(np.zeros((3, 1, 1)))


def noisy(seed=0, count=8, size=48, scale=0.02):
    """Unit pixel features of a still ground under noise."""
    rng = np.random.default_rng(seed)
    ground = rng.uniform(0.2, 0.8, (3, size, size))
    return pixel_features(ground + scale * rng.standard_normal((count, 3, size, size)))


@pytest.mark.parametrize('scale', [0.005, 0.02, 0.1])
@pytest.mark.parametrize('seed', range(3))
def test_noise_stays_below_its_floor_and_not_far_below(seed, scale):
    features = noisy(seed, scale=scale)
    d1, _ = change_distances(features)
    floor = noise_floor(features)
    assert (d1[:-1] > floor).mean() < 2e-3
    assert d1.max() > floor / 3
    assert otsu_threshold(d1[:-1]) < floor  # as published, half of the noise is change


def test_the_floor_does_not_see_what_changes():
    features = noisy()
    before = noise_floor(features)
    moved = features.copy()
    moved[4:, :, :12, :12] = np.roll(moved[4:, :, :12, :12], 1, axis=1)
    assert noise_floor(moved) < 1.5 * before
    blank = features.copy()
    blank[3] = 0  # a frame without data
    assert noise_floor(blank) == pytest.approx(before, rel=0.2)


@pytest.mark.parametrize(
    'features',
    [np.ones((1, 2, 20, 20)), np.ones((3, 2, 4, 4)), np.zeros((3, 2, 20, 20))],
    ids=['one frame', 'small', 'no data'],
)
def test_no_floor_without_pairs(features):
    assert noise_floor(features) == 0


def test_weak_changes_stay_where_they_touch_strong_ones():
    weak = np.zeros((3, 6, 10), bool)
    weak[1, 1, 1:4] = weak[2, 2, 4] = weak[1, 4, 7:9] = True
    strong = np.zeros_like(weak)
    strong[1, 1, 1] = strong[0, 0, 9] = True  # the second is not weak: it counts for nothing
    found = spread_change(weak, strong)
    assert found[1, 1, 1:4].all()
    assert found[2, 2, 4]
    assert found.sum() == 4


def test_edges_lie_at_half_of_the_height():
    frames = np.zeros((2, 3, 40, 40))
    frames[1, :, 10:30, 12:26] = 0.2
    features = pixel_features(frames, np.zeros(3), np.ones(3))
    d1, _ = change_distances(features)
    seen = d1 > 1e-9
    assert seen[0].sum() == 12 * 9  # a cell more on each side
    assert sharpen_change(seen, d1)[0].sum() == 10 * 7 - 4  # a corner is four ninths high


@pytest.mark.parametrize(
    ('series', 'expected'),
    [
        ('AAABBB', '..x...'),
        ('ABBBBB', '......'),  # what leaves the first frame may be a cloud
        ('AACDAA', '......'),  # two clouds, the second after the first
        ('CABBBB', '.x....'),  # a cloud at first
    ],
)
def test_states_that_no_other_frame_knows(series, expected):
    features = states(series).reshape(len(series), 4, 1, 1)
    d1, d2 = change_distances(features)
    changed = persistent_change(d1, d2, 0.5)
    lasting = changed & ~temporary_change(features, changed, 0.5, confirm=True)
    assert ''.join('.x'[int(value)] for value in lasting.ravel()) == expected


def test_half_way_back_is_back_where_asked():
    angles = np.deg2rad([0, 0, 60, 60, 20, 20])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1)[..., None, None]
    d1, d2 = change_distances(features)
    changed = persistent_change(d1, d2, 0.05)
    assert not temporary_change(features, changed, 0.05)[1].any()
    assert temporary_change(features, changed, 0.05, share=0.25)[1].all()
