"""What is missing in a raster, and what stands there instead."""

from __future__ import annotations

import numpy as np


def missing_pixels(image: np.ndarray, nodata: float | None) -> np.ndarray:
    """Return where an image (H, W, C) is nodata in all bands or not finite in one, (H, W) bool."""
    missing = np.zeros(image.shape[:2], bool)
    if nodata is not None:
        missing |= (image == nodata).all(axis=2)
    if image.dtype.kind == 'f':
        missing |= ~np.isfinite(image).all(axis=2)
    return missing


def fill_nan(image: np.ndarray, nodata: float | None) -> tuple[np.ndarray, float | None]:
    """Turn pixels of an image (H, W, C) that are not finite into nodata.

    Returns:
        The image, and the value that marks nodata in it; 0 where the image brings none.
    """
    if image.dtype.kind != 'f' or np.isfinite(image).all():
        return image, nodata
    fill = 0.0 if nodata is None or np.isnan(nodata) else nodata
    missing = ~np.isfinite(image).all(axis=2, keepdims=True)
    return np.where(missing, np.asarray(fill, image.dtype), image), fill
