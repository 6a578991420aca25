"""Grouping against the worked cases, against all pairs, and in bands."""

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist

from rsmm.discovery import group_changes, group_changes_blockwise
from rsmm.discovery.descriptors import whiten
from rsmm.errors import DataError
from tests.discovery.golden import cases, group_inputs, same_partition


@pytest.mark.parametrize('case', cases('group'))
def test_golden(case):
    changed, features, places, labels = group_inputs(case)
    found = group_changes(changed, features, **case['kwargs'])
    assert same_partition(found[tuple(places.T)], labels)
    assert not found[~changed].any()


def brute_force(changed, features, time_step=4.0, radius=20.0, factor=0.5, components=16):
    """All pairs, with NumPy's own singular vectors."""
    places = np.argwhere(changed)
    values = features[places[:, 0], :, places[:, 1], places[:, 2]].astype(np.float64)
    if components is not None:
        left, singular, _ = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
        values = left[:, :components][:, (singular > 1e-7 * singular[0])[:components]]
    gaps = cdist(values, values)
    alike = (gaps < factor * gaps.mean()) | (gaps < 1e-12)
    near = cdist(places * [time_step, 1, 1], places * [time_step, 1, 1]) <= radius
    labels = np.zeros(changed.shape, int)
    labels[changed] = connected_components(alike & near, directed=False)[1] + 1
    return labels


def volume(seed, shape=(6, 40, 48), channels=5, share=0.06, blobs=False, kinds=0):
    """Random changes and unit features; ``kinds`` > 0: so many descriptors, often equal."""
    rng = np.random.default_rng(seed)
    changed = rng.random(shape) < share
    if blobs:
        changed[:, 5:12, 8:20] |= rng.random((shape[0], 7, 12)) < 0.4
    features = rng.standard_normal((shape[0], channels, *shape[1:]))
    if kinds:
        palette = rng.standard_normal((kinds, channels))
        features = np.moveaxis(palette[rng.integers(0, kinds, shape)], -1, 1)
    return changed, features / np.linalg.norm(features, axis=1, keepdims=True)


SETTINGS = {
    'as published': {},
    'short reach': {'radius': 3.0},
    'reach of one': {'radius': 1.0, 'time_step': 1.0},
    'odd reach and step': {'radius': 7.3, 'time_step': 2.9},
    'no reach in time': {'radius': 5.0, 'time_step': 50.0},
    'no time at all': {'radius': 2.0, 'time_step': 0.0},
    'strict': {'factor': 0.2},
    'two components': {'components': 2, 'radius': 4.0},
    'no components': {'components': None, 'factor': 0.8, 'radius': 4.0},
    'the limit itself': {'components': None, 'factor': 2.0, 'radius': 4.0},
}
VOLUMES = {
    'noise': {},
    'blobs': {'blobs': True},
    'one channel': {'channels': 1},
    'many channels': {'channels': 24},
    'two looks': {'kinds': 2, 'blobs': True},
    'one look': {'kinds': 1},
    'long': {'shape': (30, 12, 9)},
    'few': {'share': 0.002},
}


@pytest.mark.parametrize('settings', SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize('kind', VOLUMES.values(), ids=VOLUMES)
def test_equals_all_pairs(kind, settings):
    changed, features = volume(11, **kind)
    found = group_changes(changed, features, max_share=1.0, **settings)
    assert same_partition(found, brute_force(changed, features, **settings))
    assert found.dtype == np.int32
    first = np.unique(found[found > 0], return_index=True)
    assert np.array_equal(first[0][np.argsort(first[1])], first[0])  # numbered as they come


@pytest.mark.parametrize('rows', [1, 5, 16, 1000])
@pytest.mark.parametrize('seed', range(3))
def test_bands_give_the_same(seed, rows):
    changed, features = volume(seed, blobs=True)
    settings = dict(max_share=1.0, radius=4.5)
    whole = group_changes(changed, features, **settings)
    assert np.array_equal(whole, group_changes_blockwise(changed, features, rows=rows, **settings))


def test_float32_equals_float64():
    changed, features = volume(4, channels=3)
    features = features.astype(np.float32)
    single = group_changes(changed, features, max_share=1, components=3)
    assert same_partition(single, group_changes(changed, features.astype(np.float64), max_share=1))


def test_a_frame_with_exactly_the_largest_share_stays_and_inputs_are_not_written_to():
    changed = np.zeros((4, 10, 10), bool)
    changed[0, 0, :10] = True
    changed[2].flat[:11] = True
    features = np.ones((4, 1, 10, 10))
    for array in (changed, features):
        array.flags.writeable = False
    labels = group_changes(changed, features, max_share=0.1)
    assert (labels[0, 0] == 1).all()  # the first event is not the background
    assert not labels[2].any()


@pytest.mark.parametrize('components', [None, 16])
def test_equal_descriptors_link(components):
    changed = np.zeros((3, 8, 8), bool)
    changed[0, 2:4, 2:4] = True
    features = np.full((3, 4, 8, 8), 0.5)
    assert group_changes(changed, features, components=components).max() == 1


def test_no_change_and_a_single_voxel():
    features = np.ones((3, 2, 8, 8))
    changed = np.zeros((3, 8, 8), bool)
    assert group_changes(changed, features).max() == 0
    changed[1, 4, 4] = True
    assert group_changes(changed, features).sum() == 1


def test_wider_reach_never_parts():
    changed, features = volume(8)
    counts = [
        group_changes(changed, features, max_share=1, radius=radius, factor=factor).max()
        for radius, factor in ((3, 0.3), (6, 0.3), (6, 0.5), (12, 0.5), (12, 0.9))
    ]
    assert counts == sorted(counts, reverse=True)


def test_order_in_time_does_not_matter():
    changed, features = volume(9, blobs=True)
    settings = dict(max_share=1, radius=5.0)
    found = group_changes(changed, features, **settings)
    assert same_partition(found, group_changes(changed[::-1], features[::-1], **settings)[::-1])


def test_whitened_scores_shrink_with_their_number():
    """Why the limit is a share of the mean distance: twice the points, other scores."""
    values = np.random.default_rng(0).standard_normal((400, 6))
    once = whiten(values.copy(), 4, 2**-52)
    twice = whiten(np.concatenate([values, values]), 4, 2**-52)
    assert np.allclose(np.abs(twice[:400]) * np.sqrt(2), np.abs(once))
    assert np.allclose(once.T @ once, np.eye(4))


def test_directions_of_rounding_are_left_out():
    rng = np.random.default_rng(0)
    plane = rng.standard_normal((300, 2)) @ rng.standard_normal((2, 6))
    assert whiten(plane.copy(), 16, 2**-52).shape == (300, 2)
    assert whiten(plane.astype(np.float32).astype(np.float64), 16, 2**-23).shape == (300, 2)
    assert whiten(np.full((5, 3), 0.1), 16, 2**-52).shape == (5, 0)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(radius=-1.0), 'not negative'),
        (dict(components=0), 'at least 1'),
        (dict(features=np.ones((3, 2, 4, 5))), r'do not fit\. Give \(T, H, W\)'),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    arrays = {'changed': np.ones((3, 4, 4), bool), 'features': np.ones((3, 2, 4, 4))}
    with pytest.raises(DataError, match=message):
        group_changes(**{**arrays, **settings})
