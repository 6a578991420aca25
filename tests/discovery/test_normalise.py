"""One brightness for a series."""

import numpy as np
import pytest

from rsmm.discovery import match_series, normalise_series, series_gains, usable_frames
from rsmm.discovery.normalise import thin
from rsmm.errors import DataError
from tests.discovery.golden import TOLERANCE, cases


@pytest.mark.parametrize('case', cases('normalise'))
def test_golden(case):
    found = normalise_series(np.array(case['frames']), case['batch'])
    assert found.dtype == np.float64
    assert found == pytest.approx(np.array(case['expect']), abs=TOLERANCE)


def series(seed=0, count=6):
    """One textured ground under other light in every frame."""
    rng = np.random.default_rng(seed)
    ground = 0.3 + 0.05 * rng.standard_normal((3, 24, 24))
    light = 1 + 0.2 * rng.standard_normal((count, 1, 1, 1))
    return np.clip(ground * light + 0.02 * rng.random((count, 3, 1, 1)), 0, 1)


@pytest.mark.parametrize('normalise', [normalise_series, match_series])
def test_light_goes_and_ground_stays(normalise):
    found = normalise(series())
    assert np.ptp(found, axis=0).max() < 1e-9
    assert found[0].std() > 0.03


def test_whole_series_do_not_depend_on_the_batch():
    """Trap: statistics of mini-batches make features depend on their size."""
    frames = series()
    assert np.array_equal(normalise_series(frames), normalise_series(frames, batch=6))
    assert np.abs(normalise_series(frames, batch=2) - normalise_series(frames)).max() > 0.01


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
@pytest.mark.parametrize('normalise', [normalise_series, match_series])
def test_a_constant_channel(normalise, dtype):
    frames = series().astype(dtype)
    frames[2, 1] = 0.1  # its mean in floating point is not 0.1
    frames[:, 2] = 0.7
    with np.errstate(all='raise'):
        found = normalise(frames)
    assert found.dtype == dtype
    assert np.ptp(found[2, 1]) == 0
    assert np.allclose(found[:, 2], 0.7)


def test_one_pixel_and_no_frame():
    assert normalise_series(np.full((2, 1, 1, 1), 0.5)).ravel().tolist() == [0.5, 0.5]
    assert normalise_series(np.zeros((0, 3, 4, 4))).shape == (0, 3, 4, 4)


def test_a_cloud_moves_the_mean_and_hardly_the_median():
    frames = series(1)
    clean = frames.copy()
    frames[3, :, :10, :12] = 0.95  # a fifth of the frame
    ground = np.s_[3, :, 12:, 12:]
    moved = np.abs(normalise_series(frames) - normalise_series(clean))[ground].mean()
    held = np.abs(match_series(frames) - match_series(clean))[ground].mean()
    assert held < moved / 2
    seen = np.ones((6, 24, 24), bool)
    seen[3, :10, :12] = False
    masked = np.abs(match_series(frames, seen) - match_series(clean))[ground].mean()
    assert masked < held + 1e-12


def test_a_frame_without_valid_pixels_is_left_alone():
    frames = series()
    seen = np.ones((6, 24, 24), bool)
    seen[4] = False
    assert np.array_equal(match_series(frames, seen)[4], frames[4])
    assert np.array_equal(match_series(frames, np.zeros_like(seen)), frames)


@pytest.mark.parametrize(
    ('frames', 'batch', 'message'),
    [
        (np.zeros((3, 4, 4)), None, r'\(T, C, H, W\), got shape \(3, 4, 4\)'),
        (np.zeros((3, 1, 4, 4), np.uint8), None, 'got uint8. Divide 8-bit by 255'),
        (np.zeros((3, 1, 4, 4)), 0, 'from 1, got 0'),
    ],
)
def test_bad_input(frames, batch, message):
    with pytest.raises(DataError, match=message):
        normalise_series(frames, batch)


def test_frames_under_clouds_are_told_from_others():
    frames = series(2, count=8)
    frames[5, :, :20] = 0.97 + 0.02 * np.random.default_rng(0).random((3, 20, 24))
    seen = np.ones((8, 24, 24), bool)
    seen[6] = False  # without any data: nothing speaks against it
    samples, valid = thin(frames), thin(seen)
    gain, offset = series_gains(samples, valid)
    assert np.flatnonzero(~usable_frames(samples, gain, offset, valid)).tolist() == [5]


def test_flat_noise_keeps_all_frames():
    frames = 0.5 + 0.02 * np.random.default_rng(0).standard_normal((8, 3, 24, 24))
    samples = thin(frames)
    assert usable_frames(samples, *series_gains(samples)).all()
