"""Dense features without a network: standardised bands of a small neighbourhood."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from rsmm.errors import DataError


def pixel_features(
    frames: np.ndarray,
    mean: np.ndarray | None = None,
    deviation: np.ndarray | None = None,
    stride: int = 2,
    window: int = 3,
    constant: float = 3.0,
) -> np.ndarray:
    """Return bands standardised, averaged to a grid and over a window, with a constant, unit norm.

    The constant lets a change of brightness alone turn the vector: without it, two greys are one
    direction. The larger it is, the farther apart stay things that are bright both, such as pale
    soil and cloud.

    Args:
        frames: ``(T, C, H, W)`` floating point.
        mean, deviation: ``(C,)`` of the series; None: of ``frames``. A deviation of 0 counts as 1.
        stride: Frame pixels per grid cell along each side; rows and columns left over at the high
            sides are dropped.
        window: Side of the average in grid cells, odd.
        constant: Value of the last component before the norm, in deviations.

    Returns:
        ``(T, C + 1, H // stride, W // stride)``, the dtype of ``frames``.

    Raises:
        DataError: Frames smaller than the stride, or an even window.
    """
    if min(frames.shape[2:]) < stride or window % 2 == 0:
        raise DataError(f'frames {tuple(frames.shape)} with stride {stride} and window {window}')
    count, bands, height, width = frames.shape
    height, width = height // stride, width // stride
    blocks = frames[:, :, : height * stride, : width * stride]
    blocks = blocks.reshape(count, bands, height, stride, width, stride).mean(axis=(3, 5))
    mean = frames.mean(axis=(0, 2, 3)) if mean is None else np.asarray(mean)
    deviation = frames.std(axis=(0, 2, 3)) if deviation is None else np.asarray(deviation)
    deviation = np.where(deviation > 0, deviation, 1)
    out = np.full((count, bands + 1, height, width), constant, frames.dtype)
    out[:, :bands] = (blocks - mean[:, None, None]) / deviation[:, None, None]
    out[:, :bands] = ndimage.uniform_filter(out[:, :bands], (0, 0, window, window), mode='nearest')
    return out / np.sqrt((out * out).sum(axis=1, keepdims=True))
