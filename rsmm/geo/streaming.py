"""Predicting scenes of any size: tiles in, finished rows out, little in memory.

Where :func:`rsmm.geo.windows.predict_windows` keeps sums for the whole raster, this keeps those of
the rows that tiles still to come can touch. Memory grows with the width of the scene times the
height of a tile, not with its area.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rsmm.errors import DataError
from rsmm.geo.io import complete_file
from rsmm.geo.missing import fill_missing
from rsmm.geo.place import set_place
from rsmm.geo.raster import Raster, open_raster
from rsmm.geo.rasterize import ONE_GRID, Transform, as_affine, check_same_place
from rsmm.geo.tags import check_tags
from rsmm.geo.windows import Window, blend_weights, sliding_windows

#: Rows handed on at a time: what is made of them is small beside the sums.
ROWS = 64


def stream_windows(
    read: Callable[[Window], np.ndarray],
    shape: tuple[int, int],
    predict: Callable[[np.ndarray], np.ndarray],
    *,
    tile: int = 512,
    stride: int = 512,
    batch_size: int = 4,
    merge: str = 'mean',
) -> Iterator[tuple[int, np.ndarray]]:
    """Predict a raster tile by tile and yield its rows as soon as they are final.

    Args:
        read: Reads one window, (h, w, ...).
        shape: (H, W) of the raster.
        predict: Maps a batch of windows to values (N, h, w, K).
        tile: Side of a tile in pixels.
        stride: Distance of neighbouring tiles; smaller than ``tile`` for overlap.
        batch_size: Tiles per call of ``predict``.
        merge: How overlapping tiles are combined, see :func:`rsmm.geo.windows.blend_weights`.

    Yields:
        First row and values (h, W, K) float32 of the next rows, top to bottom without gap.
    """
    windows = sliding_windows(shape, tile, stride)
    starts = sorted({window.row for window in windows})
    done = 0
    total = weight = np.zeros((0, 0, 1), np.float32)  # of the right size with the first values
    for start, following in zip(starts, [*starts[1:], shape[0]], strict=True):
        band = [window for window in windows if window.row == start]
        weights = blend_weights((band[0].height, band[0].width), merge)[..., None]
        for begin in range(0, len(band), batch_size):
            batch = band[begin : begin + batch_size]
            values = np.asarray(predict(np.stack([read(window) for window in batch])))
            if not total.size:
                total = np.zeros((band[0].height, shape[1], values.shape[-1]), np.float32)
                weight = np.zeros((*total.shape[:2], 1), np.float32)
            for window, value in zip(batch, values, strict=True):
                columns = slice(window.column, window.column + window.width)
                total[:, columns] += value * weights
                weight[:, columns] += weights
        final = following - done
        for row in range(0, final, ROWS):
            part = slice(row, min(row + ROWS, final))
            yield done + row, total[part] / weight[part]
        # Rows that the next tiles touch move up.
        for held in (total, weight):
            held[: held.shape[0] - final] = held[final:].copy()
            held[held.shape[0] - final :] = 0
        done = following


def write_stream(
    path: str | Path,
    rows: Iterator[tuple[int, np.ndarray]],
    shape: tuple[int, int],
    *,
    dtype: str,
    count: int = 1,
    crs: str | None = None,
    transform: Transform = None,
    gcps: Sequence[Sequence[float]] = (),
    rpcs: Mapping[str, str] | None = None,
    nodata: float | None = None,
) -> None:
    """Write rows (h, W) or (h, W, C) as they come to a GeoTIFF that appears once complete.

    Args:
        path: Target; folders are made.
        rows: First row and values.
        shape: (H, W) of the raster.
        dtype: Of the values.
        count: Number of bands C.
        crs: WKT or ``'EPSG:3857'``.
        transform: Affine from pixel to map coordinates.
        gcps, rpcs: Control points and coefficients instead, as :class:`rsmm.geo.raster.Raster` has
            them; ``crs`` is that of the points.
        nodata: Value that marks missing pixels.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    profile = {
        'driver': 'GTiff',
        'dtype': dtype,
        'count': count,
        'height': shape[0],
        'width': shape[1],
        'nodata': nodata,
        'compress': 'deflate',
        'crs': crs,
        'transform': as_affine(transform),
        'BIGTIFF': 'IF_SAFER',
    }
    with complete_file(Path(path)) as temporary, warnings.catch_warnings():
        warnings.simplefilter('ignore', NotGeoreferencedWarning)
        with rasterio.open(temporary, 'w', **profile) as target:
            set_place(target, crs, gcps, rpcs)
            for row, values in rows:
                planes = values[None] if values.ndim == 2 else np.moveaxis(values, -1, 0)
                target.write(planes, window=((row, row + values.shape[0]), (0, shape[1])))


class Stack:
    """Rasters on one grid that are open for reading the same window of each; a context manager.

    Args:
        paths: One file per date.
        bands: Bands wanted, by name; None for all.
        order: Declared bands of the files in order; what they say must agree.
        **options: Of :func:`rsmm.geo.raster.open_raster`.

    Attributes:
        shape: (H, W).
        place: ``crs``, ``transform``, ``gcps`` and ``rpcs`` of the first, for :func:`write_stream`.
        dates: The open :class:`rsmm.geo.raster.Raster` of each file.

    Raises:
        DataError: The files differ in size, coordinate system, or scale and offset tags, or lie
            more than half a pixel apart.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        bands: Sequence[str] | None = None,
        order: Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        # Files that do not name their bands hold those asked for, unless an order is declared.
        assume = bands if order is None else None
        options = {'sidecars': True, 'keep': True, 'order': order, 'assume': assume, **options}
        self._open = contextlib.ExitStack()
        self.dates: list[Raster] = []
        try:
            for path in paths:
                self.dates.append(self._open.enter_context(open_raster(path, bands, **options)))
                check_same_grid(self.dates[0], self.dates[-1])
                check_tags([date.about() for date in self.dates], paths[: len(self.dates)])
        except BaseException:
            self.close()
            raise
        first = self.dates[0]
        self.shape = first.shape
        self.place = {key: getattr(first, key) for key in ('crs', 'transform', 'gcps', 'rpcs')}

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        self._open.close()

    def read(self, window: Window) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """Return values (h, w, C) and what is missing (h, w) bool or None, per date.

        Missing pixels have the mean of their band in the window.
        """
        found = [date.read(window) for date in self.dates]
        return [(fill_missing(values, missing), missing) for values, missing in found]


def read_stacked(
    paths: Sequence[str | Path],
    bands: Sequence[str] | None = None,
    order: Sequence[str] | None = None,
    **options: Any,
) -> tuple[Callable[[Window], np.ndarray], tuple[int, int], dict]:
    """Open rasters on one grid for reading the same window of each.

    Args:
        paths, bands, order, **options: As for :class:`Stack`.

    Returns:
        A function from window to (h, w, T, C), (h, w, C) for one path, missing pixels filled;
        (H, W); and a dict of ``crs``, ``transform``, ``gcps`` and ``rpcs``.

    Raises:
        DataError: As :class:`Stack`.
    """
    stack = Stack(paths, bands, order, **options)

    def read(window: Window) -> np.ndarray:
        dates = [values for values, _ in stack.read(window)]
        return dates[0] if len(dates) == 1 else np.stack(dates, axis=2)

    return read, stack.shape, stack.place


def check_same_grid(first: Raster, other: Raster) -> None:
    """Refuse two open rasters whose pixels are not the same places."""
    if other.shape != first.shape or other.crs != first.crs:
        raise DataError(
            f'differs in size or coordinate system from {first.path}: '
            f'{other.shape} and {first.shape}',
            where=other.path,
            fix=ONE_GRID,
        )
    transforms = first.transform, other.transform
    check_same_place((first.path, other.path), transforms, (first.shape, other.shape))
