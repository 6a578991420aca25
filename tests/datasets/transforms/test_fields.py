"""Fields painted over a pair: where, in which colours, what the label says, what stays."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from rsmm.datasets.transforms.fields import (
    FARMLAND,
    REACH,
    RandomFields,
    field_colour,
    half_plane,
    parcels,
)
from rsmm.errors import DataError
from rsmm.sensors import RGB


def pair(size: int = 64, dtype=np.uint8, bands=RGB) -> dict:
    image = np.full((size, size, 2, len(bands)), 85, dtype)
    label = np.ones((size, size), np.uint8)
    label[:4] = 255
    return {'img': image, 'gt_seg_map': label, 'bands': bands}


@pytest.mark.parametrize('seed', range(5))
def test_painted_pixels_are_no_change_and_others_are_as_they_were(seed: int) -> None:
    before = pair()
    np.random.seed(seed)
    after = RandomFields(prob=1)(pair())
    image, label = after['img'], after['gt_seg_map']
    assert image.dtype == np.uint8
    assert image.shape == before['img'].shape
    np.testing.assert_array_equal(label == 255, before['gt_seg_map'] == 255)
    # The rim of a field is soft: up to three pixels beyond it are touched.
    inner = cv2.erode((label == 1).astype(np.uint8), np.ones((7, 7), np.uint8)) == 1
    assert inner.any()
    assert (image[inner] == 85).all()
    assert (label == 0).any()
    assert np.abs(image[label == 0].astype(int) - 85).mean() > 3


def test_dates_differ_in_most_fields_but_not_in_all() -> None:
    differences = []
    for seed in range(40):
        np.random.seed(seed)
        results = RandomFields(prob=1)(pair())
        painted = results['gt_seg_map'] == 0
        if painted.any():
            dates = results['img'][painted].astype(int)
            differences.append(np.abs(dates[:, 0] - dates[:, 1]).mean())
    assert np.mean(differences) > 15
    assert min(differences) < 15


def test_the_same_seed_draws_the_same_and_chance_zero_draws_nothing() -> None:
    drawn = []
    for _ in range(2):
        np.random.seed(3)
        drawn.append(RandomFields(prob=1)(pair())['img'])
    np.testing.assert_array_equal(*drawn)
    untouched = pair()
    assert RandomFields(prob=0)(untouched)['img'] is untouched['img']
    assert (untouched['gt_seg_map'] == pair()['gt_seg_map']).all()


def test_the_source_arrays_are_not_changed() -> None:
    """Scenes are kept in memory between crops: a transform must not paint into them."""
    results = pair()
    image, label = results['img'].copy(), results['gt_seg_map'].copy()
    source = dict(results)
    np.random.seed(0)
    RandomFields(prob=1)(results)
    np.testing.assert_array_equal(source['img'], image)
    np.testing.assert_array_equal(source['gt_seg_map'], label)


def test_colours_follow_the_bands_and_stay_in_reach() -> None:
    np.random.seed(0)
    drawn = np.array([field_colour(RGB) for _ in range(4000)])
    np.random.seed(0)
    turned = np.array([field_colour(RGB[::-1]) for _ in range(4000)])
    for column, band in enumerate(RGB):
        low, high = REACH[band]
        assert low <= drawn[:, column].min() <= drawn[:, column].max() <= high
        assert drawn[:, column].mean() == pytest.approx(FARMLAND[band][0], abs=0.1)
        assert turned[:, 2 - column].mean() == pytest.approx(drawn[:, column].mean(), abs=0.1)
    assert np.corrcoef(drawn.T).min() > 0.8  # brightness moves all bands together


@pytest.mark.parametrize('count', [1, 3, 13])
def test_parcels_are_a_partition_of_connected_size(count: int) -> None:
    np.random.seed(1)
    field = parcels(40, 50, count)
    assert field.shape == (40, 50)
    assert set(np.unique(field)) <= set(range(count))
    assert count == 1 or len(np.unique(field)) > count // 2


def test_half_plane_is_neither_empty_nor_everything() -> None:
    np.random.seed(0)
    shares = [half_plane(64, 48).mean() for _ in range(50)]
    assert 0.05 < min(shares) < max(shares) < 0.95
    assert np.mean(shares) == pytest.approx(0.5, abs=0.1)


def test_bands_without_known_colours() -> None:
    with pytest.raises(DataError, match='B08; colours of fields are known for B04, B03, B02'):
        RandomFields(prob=1)(pair(bands=(*RGB, 'B08')))
