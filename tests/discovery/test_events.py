"""Events cut from label volumes."""

import numpy as np
import pytest

from rsmm.discovery import cut_events, event_kind, event_scores, label_means, square_box
from rsmm.errors import DataError
from tests.discovery.golden import cases, paint, run_lengths


@pytest.mark.parametrize('case', cases('cut'))
def test_golden(case):
    labels = paint(case['labels'], case['labels_shape'], np.int32)
    clouds = case['clouds']
    if clouds is not None:
        clouds = paint(clouds, case['clouds_shape'], np.uint8)
    events = cut_events(labels, clouds, **case['kwargs'])
    assert len(events) == len(case['events'])
    for event, expected in zip(events, case['events'], strict=True):
        masks = expected['masks']
        assert list(event.box) == expected['box']
        assert list(event.months) == expected['months']
        assert (event.label, event.voxels) == (expected['label'], expected['voxels'])
        assert np.array_equal(event.masks, run_lengths(masks['runs'], masks['shape']))
        assert event.masks.dtype == bool


@pytest.mark.parametrize('case', cases('square_box'))
def test_golden_square_box(case):
    assert list(square_box(*case['box'], case['size'])) == case['expect']


@pytest.mark.parametrize('seed', range(40))
def test_square_box_holds_the_box_inside_the_frame(seed):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(20, 60, 2)
    y0, y1 = np.sort(rng.choice(height + 1, 2, replace=False))
    x0, x1 = np.sort(rng.choice(width + 1, 2, replace=False))
    top, left, bottom, right = square_box(y0, x0, y1, x1, (height, width))
    assert 0 <= top <= y0 < y1 <= bottom <= height
    assert 0 <= left <= x0 < x1 <= right <= width
    side = max(y1 - y0, x1 - x0)
    assert (bottom - top, right - left) == (min(side, height), min(side, width))


@pytest.mark.parametrize('box', [(5, 5, 5, 9), (0, 0, 11, 4), (-1, 0, 4, 4)])
def test_square_box_of_nothing(box):
    with pytest.raises(DataError, match='empty or outside'):
        square_box(*box, 10)


def volume(count=400, frames=5):
    labels = np.zeros((frames, 40, 40), np.int32)
    labels[1].flat[:count] = 1
    return labels


@pytest.mark.parametrize(
    ('settings', 'count', 'found'),
    [
        ({}, 400, 0),  # not more than 400 voxels
        ({}, 401, 1),
        ({'min_voxels': 399}, 400, 0),  # 400 * 4 is not more than 1600 pixels
        ({'min_voxels': 399, 'min_pixels': 1599}, 400, 1),
        ({'scale': 1}, 401, 0),
        ({'scale': 1, 'min_pixels': 400}, 401, 1),
    ],
)
def test_more_than_is_meant(settings, count, found):
    assert len(cut_events(volume(count), **settings)) == found


def test_cloud_of_either_frame_hides_a_pixel():
    labels = volume(480)
    clear = np.zeros((5, 80, 80), np.uint8)
    for frame, hides in enumerate((False, True, True, False, False)):
        clouds = clear.copy()
        clouds[frame] = 128
        assert (cut_events(labels, clouds) == []) == hides
    clouds = clear.copy()
    clouds[1] = 127
    assert cut_events(labels, clouds)[0].pixels == 480 * 4


def test_the_last_two_frames_are_ignored():
    labels = np.zeros((5, 40, 40), np.int32)
    labels[3:, :25, :25] = 1
    assert cut_events(labels) == []
    labels[2, :25, :25] = 1
    (event,) = cut_events(labels)
    assert (event.months, event.voxels) == ((2, 2), 625)
    assert cut_events(labels[:2]) == []


def test_a_frame_that_is_wider_than_high():
    labels = np.zeros((4, 30, 90), np.int32)
    labels[0, 5:25, 10:75] = 3
    (event,) = cut_events(labels)
    assert event.label == 3
    assert event.box == (0, 20, 60, 150)
    assert event.masks.shape == (1, 60, 130)


def test_scores_are_asked_for():
    labels = volume(500)
    events = cut_events(labels)
    assert events[0].score is None
    d1 = np.where(labels == 1, 0.4, 9.0)
    (scored,) = event_scores(events, label_means(labels, d1))
    assert scored.score == pytest.approx(0.4 * 500**0.5 / 3)


@pytest.mark.parametrize(
    ('labels', 'clouds', 'message'),
    [
        (np.zeros((4, 8, 8)), None, 'integers'),
        (np.full((4, 8, 8), -1), None, 'Add 1'),
        (np.zeros((4, 8, 8), int), np.zeros((4, 8, 8)), r'\(4, 16, 16\) at scale 2'),
    ],
)
def test_volumes_that_do_not_fit(labels, clouds, message):
    with pytest.raises(DataError, match=message):
        cut_events(labels, clouds)


def drawn(rows):
    return np.array([[mark == '#' for mark in row] for row in rows])


@pytest.mark.parametrize(
    ('footprint', 'kind'),
    [
        (np.ones((12, 14), bool), 'patch'),
        (np.ones((3, 30), bool), 'line'),
        (np.eye(40, dtype=bool) | np.eye(40, k=1, dtype=bool), 'line'),
        (np.pad(np.zeros((36, 36), bool), 2, constant_values=True), 'line'),  # a ring road
        (np.arange(900).reshape(30, 30) % 7 == 0, 'scattered'),
        (drawn(['##']), 'patch'),
    ],
)
def test_kinds_by_shape(footprint, kind):
    assert event_kind(footprint) == kind
