"""Reading rasters without losing bands, bit depth, nodata or georeference.

JPEG goes through OpenCV and everything else through rasterio. On the 64x64 EuroSAT chips OpenCV
decodes about five times as many per second as GDAL and its pixels equal Pillow's bit for bit; GDAL
upsamples the colour planes differently (0.75 grey levels mean difference), so networks trained
elsewhere would see slightly other images through it.
"""

from __future__ import annotations

import contextlib
import functools
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from rsmm.datasets.transforms.photometric import band_means
from rsmm.errors import DataError, DataNotFoundError
from rsmm.registry import TRANSFORMS
from rsmm.sensors import (
    RGB_CAMERA,
    SENSORS,
    band_indices,
    canonical_band,
    resolve_bands,
)

JPEG_SUFFIXES = ('.jpg', '.jpeg')
_KNOWN_BANDS = frozenset(name for sensor in SENSORS.values() for name in sensor.band_names)


@TRANSFORMS.register_module()
class LoadRaster(BaseTransform):
    """Load an image of any band count in its stored dtype, bands selected by name.

    Reads uint8, uint16, int16 and float32 from GeoTIFF, PNG and JPEG, or a row of a packed dataset.

    Required Keys:

    - img_path (str)
    - file_bands (tuple[str], optional): order of the bands in the file, as the dataset declares it
    - bands (tuple[str], optional): bands that the dataset wants
    - file_shape (tuple[int, int], optional): (H, W) that every file must have
    - darkest (str, optional): band that is the darkest of every file, to tell a wrong order
    - window (tuple[int, int, int, int], optional): row, column, height and width in pixels; only
      this part is read, cut at the lower and right border
    - pack, pack_row (optional): packed folder and row to read instead of ``img_path``

    Added Keys:

    - img (np.ndarray): (H, W, C), stored dtype
    - bands (tuple[str]): canonical names aligned with the last axis
    - img_shape, ori_shape (tuple[int, int]): (H, W)
    - nodata (float | None), crs (WKT str | None), transform (6 affine numbers | None)

    Args:
        bands: Bands to load, in this order: names or the name of an order in ``rsmm.sensors``. None
            loads what the dataset wants, else all.
        order: Order of the bands in the file when the dataset does not declare one.
        shape: (H, W) that the file must have, in pixels.
        nodata: Nodata value of files that declare none.
        fill: Value that replaces nodata and NaN pixels. None keeps nodata and refuses NaN.
        sidecars: Let GDAL look for ``.aux.xml`` and world files beside the image; listing a large
            folder for each file is slow.

    Raises:
        DataError: The file is truncated, has other bands or another size than declared, names its
            bands in another order, contains NaN, or is nodata throughout. Names file and mend.
    """

    def __init__(
        self,
        bands: str | Sequence[str] | None = None,
        order: str | Sequence[str] | None = None,
        shape: Sequence[int] | None = None,
        nodata: float | None = None,
        fill: float | None = None,
        sidecars: bool = False,
    ) -> None:
        self.bands = None if bands is None else resolve_bands(bands)
        self.order = None if order is None else resolve_bands(order)
        self.shape = None if shape is None else tuple(shape)
        self.nodata = nodata
        self.fill = fill
        self.sidecars = sidecars

    def transform(self, results: dict) -> dict:
        """Read the image that ``results`` names."""
        path = results['img_path']
        declared = results.get('file_bands', self.order)
        wanted = self.bands or results.get('bands')
        if 'pack' in results:
            image, found = _read_packed(results, wanted)
        else:
            image, found = read_raster(
                path, declared, wanted, sidecars=self.sidecars, window=results.get('window')
            )
            check_shape(image, self.shape or results.get('file_shape'), path)
        if found['nodata'] is None:
            found['nodata'] = self.nodata
        if 'pack' not in results or self.fill is not None:
            image = check_values(image, found['nodata'], self.fill, path)
        if 'pack' not in results and results.get('darkest') in found['bands']:
            check_darkest(band_means(image), found['bands'], results['darkest'], path)
        results.update(found)
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def __repr__(self) -> str:
        return f'LoadRaster(bands={self.bands}, shape={self.shape}, fill={self.fill})'


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


def declared_bands(
    count: int,
    dtype: np.dtype | str,
    descriptions: Sequence[str | None],
    order: Sequence[str] | None,
    path: str | Path,
) -> tuple[str, ...]:
    """Return the names of a file's bands, after checking the declared ones against the file.

    Args:
        count: Number of bands in the file.
        dtype: Stored dtype.
        descriptions: Band descriptions in the file, None where a band has none.
        order: Declared names, or None.
        path: File to name in errors.

    Raises:
        DataError: Another number of bands than declared, or the file names them in another order.
    """
    in_file = described_bands(descriptions)
    if order is None:
        if in_file is not None:
            return in_file
        if count == 3 and np.dtype(dtype) == np.uint8:
            return RGB_CAMERA.band_names
        return tuple(f'BAND{number}' for number in range(1, count + 1))
    order = tuple(order)
    if count != len(order):
        raise DataError(
            f'expected {len(order)} bands ({_short(order)}), found {count}',
            where=path,
            fix='Declare the bands that the file has, or download it again',
        )
    if in_file is not None and in_file != order:
        raise DataError(
            f'the file names its bands {", ".join(in_file)}, '
            f'the dataset declares {", ".join(order)}',
            where=path,
            fix='Write the bands in the declared order, or declare the order of the file',
        )
    return order


def described_bands(descriptions: Sequence[str | None]) -> tuple[str, ...] | None:
    """Return canonical band names from GeoTIFF band descriptions.

    None unless every band is described by a name that ``rsmm.sensors`` knows; text after the name
    (``'B04 (664.6 nm)'``) is ignored.
    """
    names = []
    for description in descriptions:
        word = re.match(r'\w+', (description or '').strip())
        name = canonical_band(word[0].split('_')[0]) if word else None
        if name not in _KNOWN_BANDS:
            return None
        names.append(name)
    return tuple(names) or None


def _short(bands: Sequence[str]) -> str:
    return ', '.join(bands) if len(bands) <= 4 else f'{bands[0]}..{bands[-1]}'


def check_shape(image: np.ndarray, shape: Sequence[int] | None, path: str | Path) -> None:
    """Raise :class:`DataError` unless an image (H, W, C) has the expected (H, W)."""
    if shape is not None and image.shape[:2] != tuple(shape):
        raise DataError(
            f'expected {shape[0]}x{shape[1]} pixels, found {image.shape[0]}x{image.shape[1]}',
            where=path,
            fix='Crop or resize it, or download it again',
        )


def check_values(
    image: np.ndarray, nodata: float | None, fill: float | None, path: str | Path
) -> np.ndarray:
    """Refuse images without data and NaN pixels, or fill them.

    Args:
        image: (H, W, C).
        nodata: Value that marks missing pixels, NaN included; None when there is none.
        fill: Replaces nodata and NaN; None keeps nodata and refuses NaN.
        path: File to name in errors.

    Raises:
        DataError: All pixels are nodata or NaN, or some are NaN and ``fill`` is None.
    """
    if image.dtype.kind == 'f' and not np.isfinite(image).all():
        missing = ~np.isfinite(image)
        if missing.all():
            raise _without_data('NaN', path)
        if fill is None:
            raise DataError(
                f'{int(missing.sum())} of {image.size} values are NaN or infinite',
                where=path,
                fix='Set LoadRaster(fill=0), or leave the file out',
            )
        image = np.where(missing, np.asarray(fill, image.dtype), image)
    if nodata is None or np.isnan(nodata):
        return image
    # One pixel decides almost always; comparing whole chips costs more than decoding them.
    if (image[0, 0] == nodata).all() and (image == nodata).all():
        raise _without_data(f'nodata ({nodata:g})', path)
    if fill is not None:
        image = np.where(image == nodata, np.asarray(fill, image.dtype), image)
    return image


def check_darkest(
    means: np.ndarray, bands: Sequence[str], darkest: str, path: str | Path, factor: float = 4.0
) -> None:
    """Raise :class:`DataError` when a band that must be the darkest is plainly not.

    Args:
        means: Mean of each band (C,).
        bands: Names of the bands.
        darkest: The band that sees next to nothing, such as the cirrus band B10 of Sentinel-2.
        path: File to name in the error.
        factor: It is refused when it is so many times as bright as the darkest, and brighter than
            an eighth of the median of all bands. Over dark water bands come close to each other;
            with 4, no real EuroSAT chip at hand is refused, and each one in Sentinel-2's own order.
    """
    low, declared = int(np.argmin(means)), means[bands.index(darkest)]
    if declared > factor * means[low] and declared > np.median(means) / 8:
        raise DataError(
            f'band {low + 1} is declared {bands[low]} but is the darkest (mean {means[low]:.4g}), '
            f'as only {darkest} (mean {declared:.4g} as declared) can be',
            where=path,
            fix=f'Write the bands in the declared order {", ".join(bands)}',
        )


def _without_data(what: str, path: str | Path) -> DataError:
    return DataError(
        f'all values are {what}', where=path, fix='Leave the file out or download it again'
    )


def _read_packed(results: dict, bands: Sequence[str] | None) -> tuple[np.ndarray, dict]:
    from rsmm.datasets.packed import open_pack

    return open_pack(results['pack']).read(results['pack_row'], bands)
