"""The one way to read a label raster: exact values, what does not count, and its place."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rsmm.errors import DataError
from rsmm.geo.missing import missing_pixels
from rsmm.geo.raster import read_raster
from rsmm.geo.raster_files import opened
from rsmm.geo.rasterize import as_affine, check_same_place
from rsmm.utils.limits import check_limit
from rsmm.utils.listing import JPEG, has_suffix

ONE_PLACE = 'Use the label that belongs to this image, or bring both to one grid'


class LabelRaster(NamedTuple):
    """A label as it is stored.

    Attributes:
        values: (H, W) of one band, or (H, W, 3) of red, green and blue; stored dtype.
        missing: (H, W) bool, where the file itself says that there is no label.
        colours: (N, 4) uint8, the colour table of a palette file, None for others.
        crs: WKT, None where the file states none.
        transform: Six affine numbers of the part that was read, None where the file states none.
    """

    values: np.ndarray
    missing: np.ndarray
    colours: np.ndarray | None = None
    crs: str | None = None
    transform: tuple | None = None

    @property
    def shape(self) -> tuple[int, int]:
        return self.values.shape[:2]


def read_label(path: str | Path, window: Sequence[int] | None = None) -> LabelRaster:
    """Read a label raster or a part of it.

    Pixels of the file's nodata value, outside its mask, under a transparent alpha and NaN are
    missing. Palettes stay indices, with their table beside; what they mean is for the caller.

    Args:
        path: One band, or red, green and blue, with or without alpha.
        window: Row, column, height and width; cut at the lower and right border.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: It cannot be read, holds complex numbers, or another number of bands.
    """
    if has_suffix(path, JPEG):  # its decoder tells whether the file is complete
        image, _ = read_raster(path, window=window)
        values = image[..., 0] if image.shape[2] == 1 else image
        return LabelRaster(values, np.zeros(values.shape[:2], bool))
    with opened(path, sidecars=False) as source:
        if any('complex' in dtype for dtype in source.dtypes):
            raise DataError('holds complex numbers, which are no labels', where=path)
        part, transform = _part(source, window)
        height, width = (end - start for start, end in part)
        check_limit('READ_BYTES', max(height * width, 0) * source.count, path)
        image = np.stack([source.read(band, window=part) for band in source.indexes], axis=2)
        kinds = [kind.name for kind in source.colorinterp]
        image, alpha = _without_alpha(image, kinds, path)
        missing = missing_pixels(image, source.nodata)
        if alpha is not None:
            missing |= alpha == 0
        if 'per_dataset' in {flag.name for flag in source.mask_flag_enums[0]}:
            missing |= source.dataset_mask(window=part) == 0
        colours = _table(source) if kinds[0] == 'palette' and image.shape[2] == 1 else None
        crs = None if source.crs is None else source.crs.to_wkt()
    values = image[..., 0] if image.shape[2] == 1 else image
    if colours is not None and values.size:
        missing |= colours[np.clip(values, 0, len(colours) - 1), 3] == 0
    return LabelRaster(values, missing, colours, crs, transform)


def _part(source: Any, window: Sequence[int] | None) -> tuple[tuple, tuple | None]:
    """Ranges to read, and the six affine numbers of what lies there."""
    row, column, height, width = window or (0, 0, source.height, source.width)
    part = (row, min(row + height, source.height)), (column, min(column + width, source.width))
    if source.transform.is_identity:
        return part, None
    a, b, c, d, e, f = source.transform[:6]
    return part, (a, b, c + a * column + b * row, d, e, f + d * column + e * row)


def _without_alpha(image: np.ndarray, kinds: Sequence[str], path: str | Path) -> Any:
    """Split (H, W, C) into one or three bands and the alpha band (H, W), None without one."""
    count, alpha = image.shape[2], None
    # A fourth band of 0 and 255 is transparency, whether the file says so or not.
    last = image[..., -1]
    if (count > 1 and kinds[-1] == 'alpha') or (count == 4 and not set(np.unique(last)) - {0, 255}):
        image, alpha = image[..., :-1], last
    if image.shape[2] not in (1, 3):
        raise DataError(
            f'has {count} bands; a label has one, or red, green and blue',
            where=path,
            fix='Keep the band of the labels',
        )
    return image, alpha


def _table(source: Any) -> np.ndarray:
    table = np.zeros((256, 4), np.uint8)
    for index, colour in source.colormap(1).items():
        if index < len(table):
            table[index] = colour
    return table


def grey_levels(label: LabelRaster) -> LabelRaster:
    """Look up a palette of greys; other labels come back as they are.

    Programs that reduce colours number them as they come, so index 0 may be white. A palette with
    colours says nothing about order; its indices stay.
    """
    if label.colours is None or not label.values.size:
        return label
    used = label.colours[np.unique(label.values), :3]
    if (used != used[:, :1]).any():
        return label
    return label._replace(values=label.colours[label.values, 0], colours=None)


def check_label_size(found: Sequence[int], shape: Sequence[int] | None, path: str | Path) -> None:
    """Raise :class:`DataError` unless a label's (H, W) is that of its image."""
    if shape is not None and tuple(found) != tuple(shape):
        larger = any(a > b for a, b in zip(found, shape, strict=True))
        raise DataError(
            f'the label has {found[0]}x{found[1]} pixels, '
            f'{"more than" if larger else "unlike"} the image with {shape[0]}x{shape[1]}',
            where=path,
            fix='Use the label that belongs to this image',
        )


def check_label_place(
    label: LabelRaster,
    image: Mapping,
    shape: Sequence[int],
    path: str | Path,
    limit: float = 0.5,
) -> None:
    """Refuse a label that states another place than its image; without a place it lies anywhere.

    Args:
        label: As read.
        image: ``img_path``, ``crs`` and ``transform`` of its image.
        shape: (H, W) of the image.
        path: Of the label.
        limit: Distance of the corners accepted, in pixels of the image.

    Raises:
        DataError: Another coordinate system, or the corners lie further apart.
    """
    own, other = label.crs, image.get('crs')
    where = image.get('img_path', 'the image')
    if own and other and own != other and not _same_crs(own, other):
        raise DataError(
            f'the label is in {_name(own)}, its image {where} in {_name(other)}',
            where=path,
            fix=ONE_PLACE,
        )
    transforms = [
        None if value is None else as_affine(value)
        for value in (image.get('transform'), label.transform)
    ]
    check_same_place((where, path), transforms, ((shape[0], shape[1]), label.shape), limit)


@functools.lru_cache(maxsize=64)
def _same_crs(one: str, other: str) -> bool:
    from rasterio.crs import CRS

    return CRS.from_user_input(one) == CRS.from_user_input(other)


def _name(crs: str) -> str:
    return crs.split('"')[1] if '"' in crs else crs[:40]
