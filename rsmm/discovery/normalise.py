"""Giving all frames of a series one brightness and one contrast."""

from __future__ import annotations

import numpy as np

from rsmm.errors import DataError

# Pixels that the fit looks at, at least for a frame to count, its rounds and the share it keeps.
_SAMPLES, _FEWEST, _ROUNDS, _KEPT = 10_000, 10, 6, 0.6


def normalise_series(frames: np.ndarray, batch: int | None = None) -> np.ndarray:
    """Give every frame the mean and the deviation of its series, band by band.

    ``x_t <- clip((x_t - mean_t) / std_t * std + mean, 0, 1)`` with standard deviations over
    ``N - 1``. A band that is constant in a frame takes the mean of its series.

    Args:
        frames: ``(T, C, H, W)`` floating point in 0..1.
        batch: Frames that share their series statistics; None: all of them. The published code
            takes the four of a mini-batch, so that the features of a frame depend on its
            neighbours; only of use to repeat that.

    Returns:
        ``(T, C, H, W)``, the dtype of ``frames``.

    Raises:
        DataError: Another number of dimensions, integers, or a batch below 1.
    """
    _check_frames(frames)
    if batch is not None and batch < 1:
        raise DataError(f'batch is a number of frames from 1, got {batch}')
    size = batch or max(len(frames), 1)
    groups = [frames[start : start + size] for start in range(0, len(frames), size)]
    out = np.empty_like(frames)
    for start, group in zip(range(0, len(frames), size), groups, strict=True):
        mean, deviation = _moments(group, (0, 2, 3))
        mean_t, deviation_t = _moments(group, (2, 3))
        flat = deviation_t == 0
        scaled = (group - mean_t) / np.where(flat, 1, deviation_t)
        scaled = np.where(flat, 0, scaled) * deviation + mean
        out[start : start + size] = np.clip(scaled, 0, 1)
    return out


def match_series(frames: np.ndarray, valid: np.ndarray | None = None) -> np.ndarray:
    """Give every frame the light of its series, as the ground that did not change shows it.

    Does what :func:`normalise_series` does by gains and offsets that :func:`series_gains` fits, so
    that a cloud or a new town over less than four tenths of a frame does not shift the rest of it;
    values are not clipped.

    Args:
        frames: ``(T, C, H, W)`` floating point.
        valid: ``(T, H, W)`` bool; pixels that count. None: all.

    Returns:
        ``(T, C, H, W)``, the dtype of ``frames``.

    Raises:
        DataError: Another number of dimensions or integers.
    """
    _check_frames(frames)
    samples = thin(frames)
    gain, offset = series_gains(samples, None if valid is None else thin(valid))
    shape = (*gain.shape, 1, 1)
    return (frames * gain.reshape(shape) + offset.reshape(shape)).astype(frames.dtype)


def thin(frames: np.ndarray) -> np.ndarray:
    """Return every so many pixels of ``(..., H, W)`` as ``(..., N)``, at most about 10,000."""
    height, width = frames.shape[-2:]
    stride = max(1, int(np.ceil((height * width / _SAMPLES) ** 0.5)))
    return frames[..., ::stride, ::stride].reshape(*frames.shape[:-2], -1)


def series_gains(
    samples: np.ndarray, valid: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Fit the gain and offset that bring each frame to the median of its series, band by band.

    Least squares over the six tenths of the pixels that fit best, found anew a few times: pixels
    that changed or lie under a cloud fall out. Where a band says nothing (the noise outweighs the
    ground) the gain stays near 1.

    Args:
        samples: ``(T, C, N)`` the same pixels of all frames.
        valid: ``(T, N)`` bool; None: all.

    Returns:
        Gains and offsets, ``(T, C)`` float64; 1 and 0 for a frame with fewer than ten valid pixels.
    """
    samples = np.asarray(samples, np.float64)
    count, bands, _ = samples.shape
    seen = np.ones((count, samples.shape[2]), bool) if valid is None else valid
    known = np.where(seen[:, None], samples, np.nan)
    usable = seen.any(axis=0)
    reference = _median(known[:, :, usable], 0)
    gain, offset = np.ones((count, bands)), np.zeros((count, bands))
    for t in range(count):
        own = seen[t, usable]
        if own.sum() >= _FEWEST:
            gain[t], offset[t] = _fit(samples[t][:, usable][:, own], reference[:, own])
    return gain, offset


def usable_frames(
    samples: np.ndarray,
    gain: np.ndarray,
    offset: np.ndarray,
    valid: np.ndarray | None = None,
    most: float = 4.0,
) -> np.ndarray:
    """Return the frames that :func:`series_gains` found the ground in, ``(T,)`` bool.

    Where clouds cover most of a frame the fit has nothing to hold on to: half of its pixels miss
    the median of the series by more than ``most`` times what is usual.

    Args:
        samples, valid: As there.
        gain, offset: What it returned.
        most: Factor that is too much.
    """
    samples = np.asarray(samples, np.float64)
    seen = np.ones((len(samples), samples.shape[2]), bool) if valid is None else valid
    lit = samples * gain[..., None] + offset[..., None]
    lit = np.where(seen[:, None], lit, np.nan)[:, :, seen.any(axis=0)]
    reference = _median(lit, 0)
    blank = ~seen.any(axis=1)
    lit[blank] = reference  # without any data a frame is not wrong
    miss = _median(np.abs(lit - reference).sum(axis=1), 1)
    return blank | (miss <= most * np.median(miss[~blank]))


def _fit(values: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return gain and offset of each band, ``(C,)``, from ``(C, N)`` to ``(C, N)``."""
    gain, offset = np.ones(len(values)), np.median(target - values, axis=1)
    for _ in range(_ROUNDS):
        miss = np.abs(gain[:, None] * values + offset[:, None] - target).sum(axis=0)
        kept = miss <= np.quantile(miss, _KEPT)
        x, y = values[:, kept], target[:, kept]
        x0, y0 = x.mean(axis=1), y.mean(axis=1)
        shared = ((x - x0[:, None]) * (y - y0[:, None])).mean(axis=1)
        spread = x.var(axis=1) + np.finfo(np.float64).tiny
        level = y.var(axis=1) + np.finfo(np.float64).tiny
        noise = 2 * np.maximum(spread - shared**2 / level, 0)  # what no line explains, twice
        gain = (shared + noise) / (spread + noise)
        offset = y0 - gain * x0
    return gain, offset


def _median(values: np.ndarray, axis: int) -> np.ndarray:
    """Return the median without NaN; where there is none, in a small part of the time."""
    return (np.nanmedian if np.isnan(values).any() else np.median)(values, axis=axis)


def _check_frames(frames: np.ndarray) -> None:
    if frames.ndim != 4:
        raise DataError(f'a series is (T, C, H, W), got shape {tuple(frames.shape)}')
    if not np.issubdtype(frames.dtype, np.floating):
        raise DataError(
            f'frames are floating point in 0..1, got {frames.dtype}', fix='Divide 8-bit by 255'
        )


def _moments(frames: np.ndarray, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation over ``axes``; a deviation of rounding errors alone is 0."""
    count = int(np.prod([frames.shape[axis] for axis in axes]))
    mean = frames.mean(axis=axes, keepdims=True)
    if count < 2:
        return mean, np.zeros_like(mean)
    constant = frames.max(axis=axes, keepdims=True) == frames.min(axis=axes, keepdims=True)
    deviation = frames.std(axis=axes, ddof=1, keepdims=True)
    return mean, np.where(constant, 0, deviation)
