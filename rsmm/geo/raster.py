"""The one raster reader: bands by name, what is missing, tags, place.

Every dataset, pair, series, scene, box and footprint reader stands on it, so that training and
prediction see the same numbers for the same file. ``docs/data.md`` has the rules as a table.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rsmm.errors import DataError
from rsmm.geo.band_names import chosen_bands, select_bands
from rsmm.geo.raster_files import (
    decode_jpeg,
    opened,
)
from rsmm.geo.raster_handle import JPEG_BANDS, Raster, is_jpeg

__all__ = ['Raster', 'open_raster', 'opened', 'raster_shape', 'read_raster']


def open_raster(
    path: str | Path,
    bands: Sequence[str] | None = None,
    *,
    order: Sequence[str] | None = None,
    assume: Sequence[str] | None = None,
    nodata: float | None = None,
    sidecars: bool = False,
    palette: str = 'expand',
    scaled: bool = False,
    trusted: bool = False,
    keep: bool = False,
    drop_alpha: bool = False,
) -> Raster:
    """Open a raster file for reading, whole or by windows; a context manager.

    Args:
        path: File of one of :data:`rsmm.geo.raster_files.DRIVERS`, whatever its name.
        bands: Names to read, in this order; None reads all. Red, green, blue and near infrared of a
            camera and of a satellite stand for each other.
        order: Declared names of all bands in the file; what the file says must agree.
        assume: Names by position for a file that does not name its bands.
        nodata: Value of missing pixels where the file has no tag.
        sidecars: Look for world files, too.
        palette: ``'expand'`` reads colours, ``'index'`` the numbers (for labels).
        scaled: Apply the scale and offset tags; values are then float32.
        trusted: Take any driver and address of GDAL, because the caller asked for this path.
        keep: Keep a decoded JPEG for the next time it is opened, for windows of a scene.
        drop_alpha: Take alpha of a picture for a mask where all bands are read, too; else it is one
            of them. GDAL calls the fourth band of a new 8-bit GeoTIFF alpha, which proves nothing.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: It cannot be decoded, holds complex values, or its bands are not those declared
            or asked for.
    """
    return Raster(
        path,
        bands=bands,
        order=order,
        assume=assume,
        nodata=nodata,
        sidecars=sidecars,
        palette=palette,
        scaled=scaled,
        trusted=trusted,
        keep=keep,
        drop_alpha=drop_alpha,
    )


def read_raster(
    path: str | Path,
    order: Sequence[str] | None = None,
    bands: Sequence[str] | None = None,
    *,
    window: Sequence[int] | None = None,
    **options: Any,
) -> tuple[np.ndarray, dict]:
    """Read a raster file, or a window of it.

    Args:
        path: See :func:`open_raster`.
        order: Declared names of the file's bands, see there.
        bands: Names to return, in this order; None returns all.
        window: Row, column, height and width in pixels to read instead of all of it; cut at the
            lower and right border. The returned place is that of the window.
        **options: Of :func:`open_raster`.

    Returns:
        The image (H, W, C) in its stored dtype, and :meth:`Raster.about` with ``missing`` (H, W)
        bool where a pixel is missing.

    Raises:
        DataNotFoundError, DataError: As :func:`open_raster`.
    """
    if window is None and not options and is_jpeg(path):
        plain = _plain_jpeg(path, order, bands)
        if plain is not None:
            return plain
    options.setdefault('keep', window is not None)
    with open_raster(path, bands, order=order, **options) as raster:
        image, missing = raster.read(window)
        found = raster.about()
    if missing is not None:
        found['missing'] = missing
    if window is not None:
        row, column = window[:2]
        found['transform'] = shifted(found['transform'], row, column)
        if 'gcps' in found:
            found['gcps'] = tuple((r - row, c - column, *at) for r, c, *at in found['gcps'])
        if 'rpcs' in found:
            found['rpcs'] = _shifted_rpcs(found['rpcs'], row, column)
    return image, found


def _plain_jpeg(
    path: str | Path, order: Sequence[str] | None, bands: Sequence[str] | None
) -> tuple[np.ndarray, dict] | None:
    """Read a JPEG that nothing belongs to, without the machinery that costs as much as decoding."""
    image, more = decode_jpeg(path)
    if more or os.path.exists(f'{path}.msk'):
        return None
    file = JPEG_BANDS.get(image.shape[2])
    if file is None:
        return None
    given = None if order is None else tuple(order), None if bands is None else tuple(bands), None
    try:
        names, index, _ = chosen_bands(file, *given)
    except DataError:
        select_bands(file, path, *given)  # the same error with the file in it
        raise
    if index != list(range(image.shape[2])):
        image = np.ascontiguousarray(image[..., index])
    return image, {'bands': names, 'nodata': None, 'crs': None, 'transform': None}


def raster_shape(path: str | Path) -> tuple[int, int]:
    """Return (H, W) of an image from its header."""
    with opened(path) as source:
        return source.height, source.width


def shifted(transform: Sequence[float] | None, row: int, column: int) -> tuple | None:
    """Move the origin of six affine numbers to a pixel."""
    if transform is None:
        return None
    a, b, c, d, e, f = transform
    return (a, b, c + a * column + b * row, d, e, f + d * column + e * row)


def _shifted_rpcs(rpcs: dict, row: int, column: int) -> dict:
    moved = {
        'LINE_OFF': float(rpcs['LINE_OFF']) - row,
        'SAMP_OFF': float(rpcs['SAMP_OFF']) - column,
    }
    return {**rpcs, **{key: str(value) for key, value in moved.items()}}
