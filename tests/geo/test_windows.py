"""Tiling: the published starts, full cover, blending, bounded memory."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsmm.errors import ConfigError
from rsmm.geo import blend_weights, predict_windows, sliding_windows, tile_starts


@pytest.mark.parametrize(
    ('length', 'starts'),
    [(1024, [0, 512]), (1023, [0, 511]), (512, [0]), (300, [0]), (513, [0, 1])],
)
def test_published_starts(length, starts):
    assert tile_starts(length, 512, 512) == starts


@given(st.integers(1, 200), st.integers(1, 64), st.data())
def test_windows_cover_and_stay_inside(length, tile, data):
    stride = data.draw(st.integers(1, tile))
    covered = np.zeros((length, 7), int)
    for window in sliding_windows((length, 7), tile, stride):
        assert covered[window.slices].shape == window[2:]
        covered[window.slices] += 1
    assert covered.min() >= 1


@pytest.mark.parametrize('stride', [0, 9])
def test_gaps_are_refused(stride):
    with pytest.raises(ConfigError, match='stride'):
        tile_starts(20, 8, stride)


@pytest.mark.parametrize('shape', [(1023, 1024), (40, 70), (33, 21)])
@pytest.mark.parametrize('merge', ['mean', 'linear'])
def test_a_pointwise_predictor_is_reproduced(shape, merge):
    image = np.random.default_rng(0).normal(size=(*shape, 2)).astype(np.float32)
    result = predict_windows(
        image, shape, lambda batch: batch[..., :1] * 2, tile=32, stride=24, merge=merge, multiple=32
    )
    np.testing.assert_allclose(result, image[..., :1] * 2, rtol=1e-5, atol=1e-6)


def test_overlapping_logits_are_averaged():
    calls = iter([1.0, 3.0])
    result = predict_windows(
        np.zeros((4, 6, 1)),
        (4, 6),
        lambda batch: np.stack([np.full((4, 4, 1), next(calls)) for _ in batch]),
        tile=4,
        stride=4,
    )
    assert result[0, :, 0].tolist() == [1, 1, 2, 2, 3, 3]


def test_linear_weights_fall_to_the_border_and_stay_positive():
    weights = blend_weights((4, 6), 'linear')
    assert weights.min() > 0
    assert weights[1, 2] > weights[0, 0]
    with pytest.raises(ConfigError, match='cosine'):
        blend_weights((2, 2), 'cosine')


def test_memory_is_that_of_the_raster_and_not_of_the_tiles():
    side = 1024
    tracemalloc.start()
    predict_windows(
        lambda window: np.zeros((window.height, window.width, 1), np.uint8),
        (side, side),
        lambda batch: np.zeros((*batch.shape[:3], 1), np.float32),
        tile=128,
        stride=32,
        batch_size=2,
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3.5 * side * side * 4  # sum, count, and the tiles in flight
