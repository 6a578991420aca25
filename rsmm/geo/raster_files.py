"""Opening raster files: which formats, which bytes, and errors that name the file.

JPEG goes through OpenCV and everything else through rasterio. On the 64x64 EuroSAT chips OpenCV
decodes about five times as many per second as GDAL and its pixels equal Pillow's bit for bit; GDAL
upsamples the colour planes differently (0.75 grey levels mean difference), so networks trained
elsewhere would see slightly other images through it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rsmm.errors import DataError, DataNotFoundError, RsmmError
from rsmm.geo.integrity import MEND, check_png, jpeg_end
from rsmm.utils.limits import check_limit

JPEG_SUFFIXES = ('.jpg', '.jpeg')
#: GDAL drivers for files of unknown origin: those that read the file and nothing else. A virtual
#: raster or a service description reads other files and sends requests, whatever its name.
DRIVERS = ('GTiff', 'PNG', 'JPEG', 'JP2OpenJPEG', 'BMP', 'GIF', 'WEBP')
#: Files beside an image that say what is missing in it, its nodata value or its place.
BESIDE = ('.msk', '.aux.xml')


@contextlib.contextmanager
def opened(path: str | Path, sidecars: bool = False, trusted: bool = False) -> Iterator:
    """Open a file with rasterio; what fails inside the block is reported as a DataError.

    Args:
        path: File of one of :data:`DRIVERS`. A mask (``.msk``) and an ``.aux.xml`` beside it count.
        sidecars: Look for world files, too; listing a large folder for each file is slow.
        trusted: Take any driver and network address of GDAL: the caller asked for this very path.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: It cannot be read.
    """
    with failures_of(path), rasterio_source(path, sidecars, trusted) as source:
        yield source


@contextlib.contextmanager
def rasterio_source(path: str | Path, sidecars: bool, trusted: bool) -> Iterator:
    """Open a file with rasterio and close it; errors come as they are."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio.io import DatasetReader

    options = {}
    if not sidecars and not trusted:
        beside = any(os.path.exists(f'{path}{suffix}') for suffix in BESIDE)
        options = {'GDAL_DISABLE_READDIR_ON_OPEN': 'TRUE' if beside else 'EMPTY_DIR'}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', NotGeoreferencedWarning)
        with rasterio.Env(**options):
            if trusted:
                source = rasterio.open(path)
            else:
                # A Path is never taken for an address, an absolute one never for a GDAL prefix.
                whole = Path(os.path.abspath(path))
                if not whole.is_file():
                    raise absent(path)
                source = DatasetReader(whole, driver=list(DRIVERS))
            with source:
                if not trusted:
                    check_extent(source, path)
                if source.driver == 'PNG' and os.path.isfile(path):
                    check_png(path)
                yield source


def check_extent(source: Any, path: str | Path) -> None:
    """Refuse a file that states more pixels or bands than any image has.

    Raises:
        DataError: See :mod:`rsmm.utils.limits`.
    """
    check_limit('PIXELS', source.width * source.height, path)
    check_limit('BANDS', source.count, path)


@contextlib.contextmanager
def failures_of(path: str | Path) -> Iterator[None]:
    """Report what fails in the block as an error of this file."""
    try:
        yield
    except RsmmError:
        raise
    except Exception as error:
        if not isinstance(error, _file_errors()):
            raise
        far = '://' in str(path) or str(path).startswith('/vsi')
        if not far and not Path(path).exists():
            raise absent(path) from error
        raise DataError(f'cannot be read ({_reason(error)})', where=path, fix=MEND) from error


def _file_errors() -> tuple:
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError

    return RasterioError, CPLE_BaseError, UnicodeError, OverflowError, MemoryError, OSError


def decode_jpeg(path: str | Path) -> tuple[np.ndarray, bool]:
    """Decode a JPEG.

    Returns:
        The image (H, W, C) uint8, gray or R, G, B, and whether data follows its end, which may be a
        mask.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: It is cut or no JPEG.
    """
    try:
        with open(path, 'rb') as file:
            raw = file.read()
    except FileNotFoundError as error:
        raise absent(path) from error
    except OSError as error:
        raise DataError(f'cannot be read ({error.strerror})', where=path, fix=MEND) from error
    # Some OpenCV builds return the decoded part of a cut file: look for the end mark as well.
    end, image = jpeg_end(raw), None
    if end is not None:
        with contextlib.suppress(cv2.error):
            image = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None or end is None:
        raise DataError(f'not a complete JPEG ({len(raw)} bytes)', where=path, fix=MEND)
    if image.ndim == 2:
        return image[..., None], end < len(raw)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB), end < len(raw)


def scene_jpeg(path: str | Path) -> tuple[np.ndarray, bool]:
    """:func:`decode_jpeg` of which the last two images are kept: their windows decode once."""
    try:
        about = os.stat(path)
    except OSError as error:
        raise absent(path) from error
    return _kept_jpeg(str(path), about.st_size, about.st_mtime_ns)


@functools.lru_cache(maxsize=2)
def _kept_jpeg(path: str, size: int, changed: int) -> tuple[np.ndarray, bool]:
    image, more = decode_jpeg(path)
    image.flags.writeable = False
    return image, more


@functools.lru_cache(maxsize=64)
def wkt_of(crs: Any) -> str | None:
    """WKT of a CRS; spelling it out costs as much as reading a chip, so remember it."""
    return None if crs is None else crs.to_wkt()


def absent(path: str | Path) -> DataNotFoundError:
    """Build the error for a file that is not there."""
    return DataNotFoundError('there is no such file', where=path, fix='Check the data root')


def _reason(error: Exception) -> str:
    """First line of the error that GDAL gave, which rasterio keeps as the cause."""
    text = str(error.__cause__ or error).splitlines()
    return text[0] if text else type(error).__name__
