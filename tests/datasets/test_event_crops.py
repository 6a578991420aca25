"""Views of a pair by one warp: mask and images move together, colours change alike."""

from __future__ import annotations

import numpy as np
import pytest

from rsmm.datasets.transforms.event_crops import EventCrops, view_matrix
from rsmm.errors import ConfigError

JITTER = dict(type='RandomColorJitter', prob=1.0)


def shown(side=128, bands=3, dates=2):
    """A pair that shows its own mask, away from what rotation mirrors in."""
    mask = np.zeros((side, side), bool)
    mask[3 * side // 8 : 5 * side // 8, 7 * side // 16 : 9 * side // 16] = True
    image = np.repeat(mask[..., None].astype(np.float32) * 100, bands, axis=2)
    return {'img': np.stack([image] * dates, axis=2), 'event_mask': mask}


@pytest.mark.parametrize('bands', [1, 3, 13])
@pytest.mark.parametrize('side', [64, 128, 300])
@pytest.mark.parametrize('seed', range(3))
def test_mask_and_images_move_together(side, bands, seed):
    np.random.seed(seed)
    results = EventCrops(size=32, cells=4, scale=(0.3, 1.0), eps=0.0)(shown(side, bands))
    assert [image.shape for image in results['img']] == [(32, 32, bands)] * 4
    assert results['event_weights'].shape == (2, 4, 4)
    assert results['event_weights'].dtype == np.float32
    for view in range(2):
        image = results['img'][2 * view]
        np.testing.assert_array_equal(image, results['img'][2 * view + 1])
        seen = image[..., 0].reshape(4, 8, 4, 8).mean(axis=(1, 3)) / 100
        np.testing.assert_allclose(results['event_weights'][view], seen, atol=0.09)
    assert not np.array_equal(results['img'][0], results['img'][2])


def test_a_pair_with_itself_gives_an_image_a_view():
    results = EventCrops(size=32, cells=2)(shown(64, dates=1))
    assert len(results['img']) == 2
    assert results['event_weights'].min() >= 0.01


def test_colours_of_both_dates_change_alike():
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    pair = {
        'img': np.stack([image, image], axis=2),
        'event_mask': np.ones((64, 64), bool),
        'bands': ('R', 'G', 'B'),
    }
    np.random.seed(0)
    plain = EventCrops(size=32, cells=2)(dict(pair))['img']
    np.random.seed(0)
    turned = EventCrops(size=32, cells=2, colour=[JITTER])(dict(pair))['img']
    np.testing.assert_array_equal(turned[0], turned[1])
    assert turned[0].dtype == np.uint8
    assert not np.array_equal(plain[0], turned[0])


def test_shares_of_the_area():
    """A ramp shows how much of the image a view spans."""
    ramp = np.add.outer(np.zeros(100), np.arange(100.0)).astype(np.float32)[..., None, None]
    pair = {'img': ramp, 'event_mask': np.ones((100, 100), bool)}
    for share in (0.25, 1.0):
        np.random.seed(2)
        for image in EventCrops(size=50, cells=1, scale=(share, share))(dict(pair))['img']:
            step = np.hypot(*(np.diff(image[20:30, 20:30, 0], axis=k).mean() for k in (0, 1)))
            assert step == pytest.approx(2 * np.sqrt(share), rel=0.02)


def test_matrix_of_a_view():
    np.testing.assert_allclose(view_matrix((3.5, 3.5), 1, 0, False, 8), [[1, 0, 0], [0, 1, 0]])
    np.testing.assert_allclose(view_matrix((3.5, 3.5), 1, 0, True, 8), [[-1, 0, 7], [0, 1, 0]])
    turned = view_matrix((10, 20), 0.5, 90, False, 9)
    np.testing.assert_allclose(turned @ (4, 4, 1), (10, 20))
    np.testing.assert_allclose(turned @ (5, 4, 1), (10, 19.5), atol=1e-12)


@pytest.mark.parametrize(
    'options', [dict(size=32, cells=5), dict(scale=(0, 1)), dict(scale=(0.5, 2))]
)
def test_bad_settings(options):
    with pytest.raises(ConfigError, match='EventCrops'):
        EventCrops(**options)
