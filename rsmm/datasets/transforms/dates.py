"""One date of a place: one file, or one per band in several sizes, on one grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from affine import Affine

from rsmm.errors import DataError
from rsmm.geo.missing import fill_missing
from rsmm.geo.raster import read_raster
from rsmm.geo.rasterize import ONE_GRID
from rsmm.geo.tags import check_tags
from rsmm.sensors import canonical_band

#: How much the sizes of two dates or of image and label may differ before it is an error.
TOLERANCE = 0.03
_EXACT = ('uint8', 'uint16', 'int16', 'float32', 'float64')


def read_date(
    date: str | Sequence[tuple[str, str]],
    bands: Sequence[str] | None,
    nodata: float | None = None,
    scaled: bool = False,
):
    """Read one date: a file, or (band, path) pairs of files in several sizes.

    Args:
        date: Path, or band names with paths.
        bands: Bands wanted, in this order; None for all.
        nodata: Value of missing pixels in files without a tag.
        scaled: Apply scale and offset tags.

    Returns:
        The image (H, W, C) on the finest grid, missing pixels filled with the mean of their band,
        and what :func:`read_raster` finds with ``img_path``.

    Raises:
        DataError: A wanted band has no file, or the files differ in coordinate system or tags.
    """
    options: dict[str, Any] = {'nodata': nodata, 'scaled': scaled}
    if isinstance(date, str):
        image, found = read_raster(date, bands=bands, assume=bands, **options)
        return fill_missing(image, found.get('missing')), {**found, 'img_path': date}
    paths = {canonical_band(band): path for band, path in date}
    wanted = tuple(bands or paths)
    absent = [band for band in wanted if band not in paths]
    if absent:
        raise DataError(
            f'no file of band {", ".join(absent)}; there are {", ".join(paths)}',
            where=Path(date[0][1]).parent,
        )
    planes = [read_raster(paths[band], (band,), **options) for band in wanted]
    best = max(range(len(planes)), key=lambda k: planes[k][0].size)
    reference, found = planes[best]
    for (_, other), band in zip(planes, wanted, strict=True):
        if other['crs'] != found['crs']:
            raise DataError('has another coordinate system than its neighbours', where=paths[band])
    check_tags([about for _, about in planes], [paths[band] for band in wanted])
    place = reference.shape[:2], found['transform']
    moved = [
        regrid_with_gaps(plane, about.get('missing'), about['transform'], *place)
        for plane, about in planes
    ]
    image = np.concatenate([plane for plane, _ in moved], axis=2)
    gaps = [gap for _, gap in moved if gap is not None]
    about = {key: value for key, value in found.items() if key != 'missing'}
    about.update(bands=wanted, img_path=paths[wanted[best]])
    if gaps:
        # As of one file: zero is missing where all bands have it, see missing_pixels.
        about['missing'] = _joined([gap for _, gap in moved], found['nodata'], place[0])
        image = fill_missing(image, about['missing'])
    return image, about


def _joined(gaps: Sequence[np.ndarray | None], nodata: float | None, shape) -> np.ndarray:
    """Join what the bands lack: in all of them for 0, in one for markers no sensor measures."""
    full = [np.zeros(shape, bool) if gap is None else gap for gap in gaps]
    return np.logical_and.reduce(full) if nodata == 0 else np.logical_or.reduce(full)


def regrid_with_gaps(
    image: np.ndarray,
    missing: np.ndarray | None,
    transform: Sequence[float] | None,
    shape: tuple[int, int],
    target: Sequence[float] | None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Bring an image with gaps to another grid; what would be made of a gap is missing, too.

    Args:
        image, transform, shape, target: As for :func:`regrid`.
        missing: (H, W) bool, None for nothing.

    Returns:
        The image, filled where it is missing, and what is missing on the new grid. Next to a gap
        only values that are there are averaged.
    """
    image = fill_missing(image, missing)
    moved = regrid(image, transform, shape, target)
    if missing is None or moved is image:
        return moved, missing
    present = (~missing)[..., None].astype(np.float64)
    share = regrid(present, transform, shape, target)
    values = regrid(image * present, transform, shape, target) / np.maximum(share, 1e-9)
    values = values if image.dtype.kind == 'f' else np.rint(values)
    moved = np.where(share > 1e-6, values.astype(image.dtype), moved)
    gaps = share[..., 0] < 1 - 1e-6
    return moved, gaps if gaps.any() else None


def regrid(
    image: np.ndarray,
    transform: Sequence[float] | None,
    shape: tuple[int, int],
    target: Sequence[float] | None,
) -> np.ndarray:
    """Bring an image (H, W, C) to another grid bilinearly; borders are repeated.

    Args:
        image: Any dtype of whole numbers below 2**53, float32 or float64.
        transform: Its affine, 6 numbers. Without one of the two the extents are taken as equal.
        shape: (H', W') of the result.
        target: Affine of the result.
    """
    height, width = image.shape[:2]
    if transform is None or target is None:
        matrix = Affine.scale(width / shape[1], height / shape[0])
    else:
        matrix = ~Affine(*transform) * Affine(*target)
    # From corners to centres of pixels, as OpenCV counts.
    matrix = Affine.translation(-0.5, -0.5) * matrix * Affine.translation(0.5, 0.5)
    if image.shape[:2] == shape and matrix.almost_equals(Affine.identity(), precision=1e-3):
        return image
    exact = image.dtype.name in _EXACT
    moved = cv2.warpAffine(
        np.ascontiguousarray(image if exact else image.astype(np.float64)),
        np.array(matrix[:6]).reshape(2, 3),
        shape[::-1],
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    ).reshape(*shape, image.shape[2])
    return moved if exact else np.rint(moved).astype(image.dtype)


def misfit(shape: Sequence[int], expected: Sequence[int]) -> float:
    """Return the largest relative difference of height and width."""
    return max(abs(a / b - 1) for a, b in zip(shape[:2], expected, strict=True))


def fit_date(image, found: Mapping, shape, grid, resample: bool):
    """Bring a date to the grid of the scene, or refuse.

    Returns:
        The image and what is missing in it, (H, W) bool or None.

    Raises:
        DataError: It has another size, by more than is accepted with ``resample``.
    """
    transform, missing = found['transform'], found.get('missing')
    if image.shape[:2] == shape and (grid is None or transform is None or not resample):
        return image, missing
    if not resample or misfit(image.shape, shape) > TOLERANCE:
        raise DataError(
            f'has {image.shape[0]}x{image.shape[1]} pixels, expected {shape[0]}x{shape[1]} as the '
            f'{"label" if resample else "first date"}',
            where=found['img_path'],
            fix=ONE_GRID,
        )
    return regrid_with_gaps(image, missing, transform, shape, grid)
