"""Giving all frames of a series one brightness and one contrast."""

from __future__ import annotations

import numpy as np

from rsmm.errors import DataError


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
    """Give every frame the median and the quartile range of its series, band by band.

    Does what :func:`normalise_series` does with statistics that a cloud, a burnt hillside or a
    new town over less than a quarter of the frame hardly moves; values are not clipped.

    Args:
        frames: ``(T, C, H, W)`` floating point.
        valid: ``(T, H, W)`` bool; pixels that count. A frame without any is left as it is.

    Returns:
        ``(T, C, H, W)``, the dtype of ``frames``.

    Raises:
        DataError: Another number of dimensions or integers.
    """
    _check_frames(frames)
    count, bands = frames.shape[:2]
    quartiles = np.empty((count, 3, bands))
    for t, frame in enumerate(frames):
        pixels = frame.reshape(bands, -1) if valid is None else frame[:, valid[t]]
        blank = pixels.shape[1] == 0
        quartiles[t] = np.nan if blank else np.percentile(pixels, (25, 50, 75), axis=1)
    middle, spread = quartiles[:, 1], quartiles[:, 2] - quartiles[:, 0]
    known = ~np.isnan(middle).any(axis=1)
    if not known.any():
        return frames.copy()
    target, target_spread = np.median(middle[known], axis=0), np.median(spread[known], axis=0)
    # A band whose inner half is one value (a mask, saturated water) is shifted, not stretched.
    stretch = (spread > 0) & (target_spread > 0)
    gain = np.where(stretch, target_spread / np.where(spread > 0, spread, 1), 1)
    offset = target - gain * middle
    gain[~known], offset[~known] = 1, 0
    shape = (count, bands, 1, 1)
    return (frames * gain.reshape(shape) + offset.reshape(shape)).astype(frames.dtype)


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
