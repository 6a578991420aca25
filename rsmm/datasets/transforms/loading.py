"""Loading an image into a results dict: from a file or a pack, checked against what is declared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform

from rsmm.datasets.packed import open_pack
from rsmm.datasets.transforms.photometric import band_means
from rsmm.errors import DataError
from rsmm.geo.raster import read_raster
from rsmm.registry import TRANSFORMS
from rsmm.sensors import (
    resolve_bands,
)


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
    return open_pack(results['pack']).read(results['pack_row'], bands)
