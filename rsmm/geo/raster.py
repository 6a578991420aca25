"""Reading rasters without losing bands, bit depth, nodata or georeference.

JPEG goes through OpenCV and everything else through rasterio. On the 64x64 EuroSAT chips OpenCV
decodes about five times as many per second as GDAL and its pixels equal Pillow's bit for bit; GDAL
upsamples the colour planes differently (0.75 grey levels mean difference), so networks trained
elsewhere would see slightly other images through it.
"""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from rsmm.errors import DataError, DataNotFoundError
from rsmm.geo.band_names import declared_bands
from rsmm.sensors import band_indices, canonical_band

JPEG_SUFFIXES = ('.jpg', '.jpeg')


def read_raster(
    path: str | Path,
    order: Sequence[str] | None = None,
    bands: Sequence[str] | None = None,
    *,
    sidecars: bool = False,
    window: Sequence[int] | None = None,
) -> tuple[np.ndarray, dict]:
    """Read a raster file.

    Args:
        path: GeoTIFF, PNG, JPEG or any other GDAL format.
        order: Declared names of the file's bands. None takes the file's own band descriptions,
            R, G, B for three 8-bit bands, else BAND1, BAND2, ...
        bands: Names to return, in this order; None returns all.
        sidecars: Let GDAL look for files beside the image.
        window: Row, column, height and width in pixels to read instead of all of it; cut at the
            lower and right border. The returned ``transform`` is that of the window.

    Returns:
        The image (H, W, C) in its stored dtype, and a dict of ``bands``, ``nodata``, ``crs`` (WKT)
        and ``transform`` (6 affine numbers).

    Raises:
        DataNotFoundError: There is no such file.
        DataError: It cannot be decoded or its bands are not the declared ones.
    """
    if str(path).lower().endswith(JPEG_SUFFIXES):
        image, found = _select_jpeg(_read_jpeg(path), order, bands, path)
        if sidecars:
            with opened(path, sidecars) as source:
                found.update(_georeference(source))
        if window is not None:
            row, column, height, width = window
            image = image[row : row + height, column : column + width]
            found['transform'] = _shifted(found['transform'], row, column)
        return image, found
    return _read_gdal(path, order, bands, sidecars, window)


def _shifted(transform: Sequence[float] | None, row: int, column: int) -> tuple | None:
    """Move the origin of six affine numbers to a pixel."""
    if transform is None:
        return None
    a, b, c, d, e, f = transform
    return (a, b, c + a * column + b * row, d, e, f + d * column + e * row)


def _read_jpeg(path: str | Path) -> np.ndarray:
    try:
        with open(path, 'rb') as file:
            raw = file.read()
    except FileNotFoundError as error:
        raise _absent(path) from error
    # Some OpenCV builds return the decoded part of a cut file: look for the end marker as well.
    image = None
    if b'\xff\xd9' in raw:
        image = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise DataError(
            f'not a complete JPEG ({len(raw)} bytes)', where=path, fix='Download or copy it again'
        )
    if image.ndim == 2:
        return image[..., None]
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _select_jpeg(
    image: np.ndarray, order: Sequence[str] | None, bands: Sequence[str] | None, path: str | Path
) -> tuple[np.ndarray, dict]:
    names = declared_bands(image.shape[2], image.dtype, (), order, path)
    if bands is not None and tuple(bands) != names:
        image = np.ascontiguousarray(image[..., band_indices(names, bands, where=path)])
        names = tuple(canonical_band(band) for band in bands)
    return image, {'bands': names, 'nodata': None, 'crs': None, 'transform': None}


def _read_gdal(
    path: str | Path,
    order: Sequence[str] | None,
    bands: Sequence[str] | None,
    sidecars: bool,
    window: Sequence[int] | None = None,
) -> tuple[np.ndarray, dict]:
    with opened(path, sidecars) as source:
        names = declared_bands(source.count, source.dtypes[0], source.descriptions, order, path)
        index = None
        if bands is not None and tuple(bands) != names:
            index = [i + 1 for i in band_indices(names, bands, where=path)]
            names = tuple(canonical_band(band) for band in bands)
        found = {'bands': names, 'nodata': source.nodata, **_georeference(source)}
        part = None
        if window is not None:
            row, column, height, width = window
            bottom, right = min(row + height, source.height), min(column + width, source.width)
            part = (row, bottom), (column, right)
            found['transform'] = _shifted(found['transform'], row, column)
        planes = source.read(index, window=part)
    return np.ascontiguousarray(planes.transpose(1, 2, 0)), found


@contextlib.contextmanager
def opened(path: str | Path, sidecars: bool) -> Iterator:
    """Open a file with rasterio; what fails inside the block is reported as a DataError."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioIOError

    options = {} if sidecars else {'GDAL_DISABLE_READDIR_ON_OPEN': 'EMPTY_DIR'}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', NotGeoreferencedWarning)
            with rasterio.Env(**options), rasterio.open(path) as source:
                yield source
    except RasterioIOError as error:
        if not Path(path).exists():
            raise _absent(path) from error
        raise DataError(
            f'cannot be read ({_reason(error)})', where=path, fix='Download or copy it again'
        ) from error


def _georeference(source) -> dict:
    """CRS as WKT and affine transform as 6 numbers, None where the file has none."""
    # GDAL gives the identity for a file without an affine.
    return {
        'crs': _wkt(source.crs),
        'transform': None if source.transform.is_identity else tuple(source.transform)[:6],
    }


@functools.lru_cache(maxsize=64)
def _wkt(crs) -> str | None:
    """WKT of a CRS; spelling it out costs as much as reading a chip, so remember it."""
    return None if crs is None else crs.to_wkt()


def _reason(error: Exception) -> str:
    """First line of the error that GDAL gave, which rasterio keeps as the cause."""
    text = str(error.__cause__ or error).splitlines()
    return text[0] if text else type(error).__name__


def _absent(path: str | Path) -> DataNotFoundError:
    return DataNotFoundError('there is no such file', where=path, fix='Check the data root')


def raster_shape(path: str | Path) -> tuple[int, int]:
    """Return (H, W) of an image from its header."""
    with opened(path, sidecars=False) as source:
        return source.height, source.width
