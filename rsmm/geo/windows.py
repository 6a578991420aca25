"""Tiled inference over rasters of any size, with overlap blending and bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from rsmm.errors import ConfigError

MERGES = ('mean', 'linear')


class Window(NamedTuple):
    """A rectangle of a raster in pixels."""

    row: int
    column: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the window in an array (H, W, ...)."""
        return (
            slice(self.row, self.row + self.height),
            slice(self.column, self.column + self.width),
        )


def tile_starts(length: int, tile: int, stride: int) -> list[int]:
    """Return where tiles begin along an axis so that they cover it and none sticks out.

    The last tile is moved back to the border. An axis shorter than the tile has one start, 0.

    >>> tile_starts(1024, 512, 512), tile_starts(1023, 512, 512)
    ([0, 512], [0, 511])

    Raises:
        ConfigError: Non-positive sizes, or a stride that would leave gaps.
    """
    if not 0 < stride <= tile or length < 1:
        raise ConfigError(
            f'tile={tile}, stride={stride} on a length of {length}: expected 0 < stride <= tile'
        )
    count = 1 + max(0, -(-(length - tile) // stride))
    return [max(0, min(stride * k, length - tile)) for k in range(count)]


def sliding_windows(shape: tuple[int, int], tile: int, stride: int) -> list[Window]:
    """Return the windows that cover a raster, row by row.

    Args:
        shape: (H, W) of the raster.
        tile: Side of a window in pixels; windows are smaller where the raster is.
        stride: Distance of neighbouring windows in pixels.
    """
    height, width = min(tile, shape[0]), min(tile, shape[1])
    return [
        Window(row, column, height, width)
        for row in tile_starts(shape[0], tile, stride)
        for column in tile_starts(shape[1], tile, stride)
    ]


def blend_weights(shape: tuple[int, int], merge: str) -> np.ndarray:
    """Return how much each pixel of a window counts where windows overlap.

    Args:
        shape: (h, w) of the window.
        merge: ``'mean'``: all pixels the same. ``'linear'``: falls off linearly to the border, so
            that seams between tiles fade.

    Returns:
        (h, w) float32, positive.

    Raises:
        ConfigError: Another merge.
    """
    if merge == 'mean':
        return np.ones(shape, np.float32)
    if merge == 'linear':
        ramps = [np.minimum(np.arange(n) + 1, n - np.arange(n)).astype(np.float32) for n in shape]
        return np.minimum.outer(*ramps)
    raise ConfigError(f'merge={merge!r}: expected one of {", ".join(MERGES)}')


class Mosaic:
    """Weighted mean of overlapping windows, kept as one running sum and one count.

    Args:
        shape: (H, W) of the raster.
        channels: Channels of the values.
        merge: See :func:`blend_weights`.
    """

    def __init__(self, shape: tuple[int, int], channels: int, merge: str = 'mean') -> None:
        self.merge = merge
        self._sum = np.zeros((*shape, channels), np.float32)
        self._weight = np.zeros(shape, np.float32)

    def add(self, window: Window, values: np.ndarray) -> None:
        """Add the values (h, w, C) of a window."""
        weights = blend_weights((window.height, window.width), self.merge)
        self._sum[window.slices] += values * weights[..., None]
        self._weight[window.slices] += weights

    def result(self) -> np.ndarray:
        """Return (H, W, C) float32; NaN where no window has been."""
        with np.errstate(invalid='ignore'):
            return np.divide(self._sum, self._weight[..., None], out=self._sum)


def predict_windows(
    read: np.ndarray | Callable[[Window], np.ndarray],
    shape: tuple[int, int],
    predict: Callable[[np.ndarray], np.ndarray],
    *,
    tile: int = 512,
    stride: int = 512,
    batch_size: int = 4,
    merge: str = 'mean',
    multiple: int = 1,
) -> np.ndarray:
    """Run a predictor over a raster tile by tile.

    Args:
        read: The raster (H, W, C), or a function that reads one window of it, so that rasters
            larger than memory work.
        shape: (H, W) of the raster.
        predict: Maps a batch (N, h, w, C) to values (N, h, w, K).
        tile: Side of a tile in pixels.
        stride: Distance of neighbouring tiles in pixels; smaller than ``tile`` for overlap.
        batch_size: Tiles per call of ``predict``.
        merge: How overlapping tiles are combined: see :func:`blend_weights`.
        multiple: Tiles of rasters smaller than ``tile`` are mirrored up to a multiple of this.

    Returns:
        (H, W, K) float32.
    """
    reader = read if callable(read) else (lambda window: read[window.slices])
    mosaic: Mosaic | None = None
    for windows in _batches(sliding_windows(shape, tile, stride), batch_size):
        batch = np.stack([_mirror(reader(window), multiple) for window in windows])
        values = np.asarray(predict(batch))
        if mosaic is None:
            mosaic = Mosaic(shape, values.shape[-1], merge)
        for window, value in zip(windows, values, strict=True):
            mosaic.add(window, value[: window.height, : window.width])
    assert mosaic is not None, 'a raster has at least one window'
    return mosaic.result()


def _batches(windows: Sequence[Window], size: int) -> Iterator[Sequence[Window]]:
    for begin in range(0, len(windows), size):
        yield windows[begin : begin + size]


def _mirror(image: np.ndarray, multiple: int) -> np.ndarray:
    """Extend the lower and right border by mirroring until both sides are multiples."""
    pad = [(0, -image.shape[axis] % multiple) for axis in (0, 1)]
    return np.pad(image, [*pad, (0, 0)], mode='symmetric') if any(map(sum, pad)) else image
