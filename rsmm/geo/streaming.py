"""Predicting scenes of any size: tiles in, finished rows out, little in memory.

Where :func:`rsmm.geo.windows.predict_windows` keeps sums for the whole raster, this keeps those of
the rows that tiles still to come can touch. Memory grows with the width of the scene times the
height of a tile, not with its area.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from rsmm.errors import DataError
from rsmm.geo.io import complete_file
from rsmm.geo.rasterize import ONE_GRID, Transform, as_affine, check_same_place
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
    done, total, weight = 0, None, None
    for start, following in zip(starts, [*starts[1:], shape[0]], strict=True):
        band = [window for window in windows if window.row == start]
        weights = blend_weights((band[0].height, band[0].width), merge)[..., None]
        for begin in range(0, len(band), batch_size):
            batch = band[begin : begin + batch_size]
            values = np.asarray(predict(np.stack([read(window) for window in batch])))
            if total is None:
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
            for row, values in rows:
                planes = values[None] if values.ndim == 2 else np.moveaxis(values, -1, 0)
                target.write(planes, window=((row, row + values.shape[0]), (0, shape[1])))


def read_stacked(
    paths: Sequence[str | Path],
    bands: Sequence[str] | None = None,
    order: Sequence[str] | None = None,
):
    """Open rasters on one grid for reading the same window of each.

    Args:
        paths: One file per date.
        bands: Bands wanted, by name; None for all.
        order: Bands of the files in order, where they do not name them.

    Returns:
        A function from window to (h, w, T, C), (h, w, C) for one path; (H, W); and a dict of
        ``crs`` and ``transform``.

    Raises:
        DataError: The files differ in size or coordinate system, or lie more than half a pixel
            apart.
    """
    from rsmm.geo.raster import open_raster

    scenes = [
        open_raster(path, bands, assume=order or bands, sidecars=True, keep=True) for path in paths
    ]
    first = scenes[0]
    for path, scene in zip(paths[1:], scenes[1:], strict=True):
        if scene.shape != first.shape or scene.crs != first.crs:
            raise DataError(
                f'differs in size or coordinate system from {paths[0]}: '
                f'{scene.shape} and {first.shape}',
                where=path,
                fix=ONE_GRID,
            )
        transforms = first.transform, scene.transform
        check_same_place((paths[0], path), transforms, (first.shape, scene.shape))

    def read(window: Window) -> np.ndarray:
        dates = [scene.read(window)[0] for scene in scenes]
        return dates[0] if len(dates) == 1 else np.stack(dates, axis=2)

    return read, first.shape, {'crs': first.crs, 'transform': first.transform}
