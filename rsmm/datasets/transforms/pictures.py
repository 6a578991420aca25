"""Pictures of any colour model as red, green and blue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from rsmm.datasets.transforms.loading import LoadRaster
from rsmm.errors import DataError
from rsmm.registry import TRANSFORMS
from rsmm.sensors import RGB_CAMERA

#: Files whose bands are colours; those of a GeoTIFF are known by name only.
PICTURE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp')


def as_rgb(
    image: np.ndarray, path: str | Path, window: Sequence[int] | None = None
) -> tuple[np.ndarray, bool]:
    """Bring an image to three bands: grey is repeated, palettes are looked up, alpha is dropped.

    DOTA, for example, mixes panchromatic images with those in colour.

    Args:
        image: ``(H, W, C)`` as it was read.
        path: File that it was read from.
        window: Row, column, height and width of the part that was read.

    Returns:
        The image ``(H, W, 3)``, and whether it was changed.

    Raises:
        DataError: Its bands are no colours.
    """
    if image.shape[2] == 3:
        return image, False
    if image.dtype == np.uint8 and str(path).lower().endswith(PICTURE_SUFFIXES):
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        if window is not None:
            row, column, height, width = window
            picture = picture[row : row + height, column : column + width]
        return np.ascontiguousarray(picture[..., ::-1]), True
    if image.shape[2] == 1:
        return np.repeat(image, 3, axis=2), True
    raise DataError(
        f'has {image.shape[2]} bands, expected red, green and blue',
        where=path,
        fix='Select three bands by name, with bands=[...] or --bands',
    )


@TRANSFORMS.register_module()
class LoadPicture(LoadRaster):
    """Load an image as ``LoadRaster`` does and bring it to three bands, see :func:`as_rgb`.

    Keys and arguments are those of ``LoadRaster``.

    Raises:
        DataError: As ``LoadRaster``, and for images of several bands that are no colours.
    """

    def transform(self, results: dict) -> dict:
        """Read the image that ``results`` names."""
        results = super().transform(results)
        image, changed = as_rgb(results['img'], results['img_path'], results.get('window'))
        if changed:
            results.update(img=image, bands=RGB_CAMERA.band_names)
        return results
