"""Loading an image into a results dict: from a file or a pack, checked against what is declared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform

from rsmm.datasets.packed import open_pack
from rsmm.datasets.transforms.gaps import keep_missing
from rsmm.datasets.transforms.photometric import band_means
from rsmm.errors import DataError
from rsmm.geo.missing import fill_missing, is_marker
from rsmm.geo.raster import read_raster
from rsmm.geo.tags import check_tags, found_tags
from rsmm.registry import TRANSFORMS
from rsmm.sensors import (
    PRODUCT_RANGES,
    resolve_bands,
)

#: Keys of images whose truth has a place, so that it can leave out pixels.
_DENSE = ('label_path', 'classes', 'instances')


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
    - product (str, optional): key of ``rsmm.sensors.PRODUCT_RANGES`` whose values the file holds
    - window (tuple[int, int, int, int], optional): row, column, height and width in pixels; only
      this part is read, cut at the lower and right border
    - pack, pack_row (optional): packed folder and row to read instead of ``img_path``

    Added Keys:

    - img (np.ndarray): (H, W, C), stored dtype
    - bands (tuple[str]): canonical names aligned with the last axis
    - img_shape, ori_shape (tuple[int, int]): (H, W)
    - nodata (float | None), crs (WKT str | None), transform (6 affine numbers | None)
    - scales, offsets (tuple[float]): tags of the bands where the file has some that are not applied
    - gcps, rpcs: where the file has no affine
    - missing (np.ndarray): (H, W) uint8, not 0 where a pixel is missing, which ``img`` has as the
      mean of its band; absent where none is

    Args:
        bands: Bands to load, in this order: names or the name of an order in ``rsmm.sensors``. None
            loads what the dataset wants, else all.
        order: Order of the bands in the file when the dataset does not declare one.
        shape: (H, W) that the file must have, in pixels.
        nodata: Nodata value of files that declare none.
        fill: Value that replaces single nodata and NaN values. With None missing pixels become the
            mean of their band, and NaN is refused in images without a label map or nodata tag: a
            class cannot leave out pixels.
        scaled: Apply the scale and offset tags; the image is then float32.
        check_range: Refuse images whose values the product cannot hold: all zero or all at the top,
            reflectance in the place of digital numbers, absurd ones.
        check_order: Refuse images of which another band than that which the dataset knows to be the
            darkest is so (B10 of 13-band EuroSAT): their bands are in another order.
        sidecars: Let GDAL look for ``.aux.xml`` and world files beside the image; listing a large
            folder for each file is slow.

    Raises:
        DataError: The file is truncated, has other bands or another size than declared, names its
            bands in another order, contains NaN, is nodata throughout, or has other scale and
            offset tags than the files before. Names file and mend.
    """

    #: Whether alpha is a mask where no bands are named; else it is one of the bands.
    DROP_ALPHA = False

    def __init__(
        self,
        bands: str | Sequence[str] | None = None,
        order: str | Sequence[str] | None = None,
        shape: Sequence[int] | None = None,
        nodata: float | None = None,
        fill: float | None = None,
        sidecars: bool = False,
        scaled: bool = False,
        check_range: bool = True,
        check_order: bool = True,
    ) -> None:
        self.bands = None if bands is None else resolve_bands(bands)
        self.order = None if order is None else resolve_bands(order)
        self.shape = None if shape is None else tuple(shape)
        self.nodata = nodata
        self.fill = fill
        self.sidecars = sidecars
        self.scaled = scaled
        self.check_range = check_range
        self.check_order = check_order
        self._first: tuple[dict, str] | None = None

    def transform(self, results: dict) -> dict:
        """Read the image that ``results`` names."""
        wanted = self.bands or results.get('bands')
        if 'pack' in results:
            return self._read_packed(results, wanted)
        path = results['img_path']
        declared = results.get('file_bands', self.order)
        image, found = self._read(path, declared, wanted, results)
        check_shape(image, self.shape or results.get('file_shape'), path)
        if found['nodata'] is None:
            found['nodata'] = self._nodata(results)
        missing = found.pop('missing', None)
        if self.fill is None:
            image = self._without_gaps(image, missing, found['nodata'], results)
        else:
            image = check_values(image, found['nodata'], self.fill, path)
            if missing is not None and found['nodata'] is None and image.dtype.kind != 'f':
                image[missing] = self.fill
        if self.check_range and 'product' in results and not self.scaled:
            check_range(image, results['product'], path)
        if self.check_order and results.get('darkest') in found['bands']:
            check_darkest(band_means(image), found['bands'], results['darkest'], path)
        for key in ('scales', 'offsets', 'gcps', 'rpcs'):
            results.pop(key, None)
        results.update(found)
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return keep_missing(results, missing)

    def _read_packed(self, results: dict, wanted: Sequence[str] | None) -> dict:
        """Take an image from a pack, which was checked and filled when it was written."""
        image, found = open_pack(results['pack']).read(results['pack_row'], wanted)
        if found['nodata'] is None:
            found['nodata'] = self.nodata
        if self.fill is not None:
            image = check_values(image, found['nodata'], self.fill, results['img_path'])
        results.update(found)
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def _read(self, path, declared, wanted, results: dict) -> tuple[np.ndarray, dict]:
        options = {
            'nodata': self._nodata(results),
            'sidecars': self.sidecars,
            'scaled': self.scaled,
            'drop_alpha': self.DROP_ALPHA,
        }
        options = {
            key: value for key, value in options.items() if value is not None and value is not False
        }
        image, found = read_raster(path, declared, wanted, window=results.get('window'), **options)
        if self._first is None:
            self._first = found_tags(found), str(path)
        elif found_tags(found) != self._first[0]:
            check_tags((self._first[0], found), (self._first[1], path))
        return image, found

    def _nodata(self, results: dict) -> float | None:
        said = results.get('file_nodata')
        return self.nodata if said is None else said

    def _without_gaps(self, image, missing, nodata: float | None, results: dict) -> np.ndarray:
        """Fill missing pixels, or refuse an image of them alone."""
        if missing is None:
            return image
        path = results['img_path']
        if missing.all():
            check_values(image, nodata, 0, path)
            raise _without_data('missing', path)
        # Pixels of a map can be left out, an image cannot be told apart from what it lacks.
        if nodata is None and not set(_DENSE) & set(results):
            check_values(image, None, None, path)
        return fill_missing(image, missing)

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
    if is_marker(image[0, 0], nodata).all() and is_marker(image, nodata).all():
        raise _without_data(f'nodata ({nodata:g})', path)
    if fill is not None:
        image = np.where(is_marker(image, nodata), np.asarray(fill, image.dtype), image)
    return image


def check_range(image: np.ndarray, product: str, path: str | Path) -> None:
    """Raise :class:`DataError` when a product cannot hold the values of an image (H, W, C).

    Args:
        image: As stored, missing pixels filled.
        product: Key of :data:`rsmm.sensors.PRODUCT_RANGES`.
        path: File to name in the error.
    """
    lowest, highest, dim = PRODUCT_RANGES[product]
    low, high = float(image.min()), float(image.max())
    switch = f'Leave the file out, or set LoadRaster(check_range=False) if {product} is meant'
    if low == high and (low == 0 or low == highest):
        raise _without_data(f'{low:g}', path)
    if not lowest <= low <= high <= highest:
        raise DataError(
            f'holds values from {low:.4g} to {high:.4g}, {product} from {lowest:g} to {highest:g}',
            where=path,
            fix=switch,
        )
    if low > -1 and high < dim and image.shape[2] > 1:  # the cirrus band alone may be so dark
        raise DataError(
            f'no value is above {high:.4g}: reflectance rather than digital numbers of {product}',
            where=path,
            fix='Multiply by 10000 and store as uint16, or set LoadRaster(check_range=False)',
        )


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
            fix=f'Write the bands in the declared order {", ".join(bands)}, or set '
            'LoadRaster(check_order=False) if they are',
        )


def _without_data(what: str, path: str | Path) -> DataError:
    return DataError(
        f'all values are {what}', where=path, fix='Leave the file out or download it again'
    )
