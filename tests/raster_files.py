"""Raster files that lack pixels in every way that a file can say so, for tests."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import rasterio
import tifffile

warnings.filterwarnings('ignore', category=rasterio.errors.NotGeoreferencedWarning)
SIDE = 32
#: Pixels that are missing in every file of this module.
GAP = np.zeros((SIDE, SIDE), bool)
GAP[5:12, 3:20] = True
PLACE = {'crs': 'EPSG:32636', 'transform': rasterio.Affine(10, 0, 3e5, 0, -10, 3e6)}


def scene(dtype='uint8', count: int = 3, seed: int = 0) -> np.ndarray:
    """An image (H, W, C) of values 20..219."""
    return np.random.default_rng(seed).integers(20, 220, (SIDE, SIDE, count)).astype(dtype)


def write(path: Path, image: np.ndarray, mask=None, env=None, names=None, **settings) -> Path:
    """Write a GeoTIFF, or another format by the suffix."""
    driver = {'.png': 'PNG', '.jp2': 'JP2OpenJPEG'}.get(path.suffix, 'GTiff')
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = dict(driver=driver, height=image.shape[0], width=image.shape[1], **settings)
    with (
        rasterio.Env(**(env or {})),
        rasterio.open(path, 'w', count=image.shape[2], dtype=image.dtype, **profile) as target,
    ):
        target.write(image.transpose(2, 0, 1))
        if names:
            target.descriptions = tuple(names)
        if mask is not None:
            target.write_mask(mask)
    return path


def with_marker(path: Path, value, dtype: str, tag: float | str | None, **settings) -> Path:
    """Write a file whose missing pixels hold a value; a tag given as text is stored as it is."""
    image = scene(dtype)
    image[GAP] = value
    if not isinstance(tag, str):
        return write(path, image, nodata=tag, **PLACE, **settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, image, photometric='minisblack', planarconfig='contig',
                     extratags=[(42113, 's', 0, tag, True)])  # fmt: skip
    return path


def with_alpha(path: Path) -> Path:
    """Write red, green, blue and alpha, with bright nonsense under the transparent part."""
    image = scene('uint8', 4)
    image[GAP] = 255
    image[..., 3] = np.where(GAP, 0, 255)
    return write(path, image, photometric='RGB', alpha='YES', **PLACE)


def with_mask(path: Path, internal: bool) -> Path:
    """Write an image whose mask lies inside the file or beside it."""
    image = scene()
    image[GAP] = 255
    env = {'GDAL_TIFF_INTERNAL_MASK': internal}
    return write(path, image, ~GAP, env, **PLACE)


#: How a file can say that the pixels of GAP are missing.
GAPS = {
    'tag 0': lambda path: with_marker(path, 0, 'uint8', 0),
    'tag 255': lambda path: with_marker(path, 255, 'uint8', 255),
    'tag -9999': lambda path: with_marker(path, -9999, 'int16', -9999),
    'tag 65535': lambda path: with_marker(path, 65535, 'uint16', 65535),
    'lowest float, rounded text': lambda path: with_marker(
        path, np.finfo('float32').min, 'float32', '-3.40282306e38'
    ),
    'lowest float, text beyond it': lambda path: with_marker(
        path, np.finfo('float32').min, 'float32', '-1.8e308'
    ),
    'NaN with tag': lambda path: with_marker(path, np.nan, 'float32', np.nan),
    'NaN without tag': lambda path: with_marker(path, np.nan, 'float32', None),
    'infinity': lambda path: with_marker(path, np.inf, 'float32', None),
    'alpha': with_alpha,
    'mask inside': lambda path: with_mask(path, True),
    'mask beside': lambda path: with_mask(path, False),
}
