"""Pictures of any colour model as red, green and blue."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rsmm.datasets.transforms.loading import LoadRaster
from rsmm.errors import DataError
from rsmm.geo.missing import fill_missing
from rsmm.geo.raster import read_raster
from rsmm.registry import TRANSFORMS
from rsmm.sensors import RGB_CAMERA


def as_rgb(image: np.ndarray, path: str | Path) -> tuple[np.ndarray, bool]:
    """Bring an image to three bands by repeating grey.

    DOTA, for example, mixes panchromatic images with those in colour. Palettes are colours, and
    alpha is a mask, already as the reader gives them.

    Args:
        image: ``(H, W, C)`` as it was read.
        path: File that it was read from.

    Returns:
        The image ``(H, W, 3)``, and whether it was changed.

    Raises:
        DataError: Its bands are no colours.
    """
    if image.shape[2] == 3:
        return image, False
    if image.shape[2] == 1:
        return np.repeat(image, 3, axis=2), True
    raise DataError(
        f'has {image.shape[2]} bands, expected red, green and blue',
        where=path,
        fix='Select three bands by name, with bands=[...] or --bands',
    )


def read_picture(path: str | Path, **options) -> tuple[np.ndarray, dict]:
    """Read a picture as red, green and blue, missing pixels filled with the mean of their band.

    Args:
        path: Any raster file.
        **options: Of :func:`rsmm.geo.raster.read_raster`.

    Returns:
        The image ``(H, W, 3)`` and what :func:`rsmm.geo.raster.read_raster` finds.

    Raises:
        DataError: It cannot be read or its bands are no colours.
    """
    image, found = read_raster(path, drop_alpha=True, **options)
    return as_rgb(fill_missing(image, found.get('missing')), path)[0], found


@TRANSFORMS.register_module()
class LoadPicture(LoadRaster):
    """Load an image as ``LoadRaster`` does and bring it to three bands, see :func:`as_rgb`.

    Keys and arguments are those of ``LoadRaster``.

    Raises:
        DataError: As ``LoadRaster``, and for images of several bands that are no colours.
    """

    DROP_ALPHA = True

    def transform(self, results: dict) -> dict:
        """Read the image that ``results`` names."""
        results = super().transform(results)
        image, changed = as_rgb(results['img'], results['img_path'])
        if changed:
            results.update(img=image, bands=RGB_CAMERA.band_names)
        return results
