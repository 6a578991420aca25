"""What is missing in a raster, and what stands there instead."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

#: How far a stored value may lie from a marker that was written as text and rounded.
ROUNDED = 5e-7


@functools.lru_cache(maxsize=256)
def marker(nodata: float | None, dtype: np.dtype | str) -> float | int | None:
    """Return the stored value that a nodata tag stands for, None where no value can match it.

    NaN is none: values that are not finite are missing anyway. Infinity stands for the end of a
    floating-point type, whose text form lies beyond it (-1.8e308).

    Args:
        nodata: Tag as GDAL gives it.
        dtype: Of the stored values.
    """
    dtype = np.dtype(dtype)
    if nodata is None or np.isnan(nodata):
        return None
    if dtype.kind == 'f':
        info = np.finfo(dtype)
        return float(np.clip(nodata, float(info.min), float(info.max)))
    if not np.isfinite(nodata) or nodata != int(nodata):
        return None
    limits = np.iinfo(dtype)
    return int(nodata) if limits.min <= int(nodata) <= limits.max else None


def is_marker(values: np.ndarray, nodata: float | None) -> np.ndarray:
    """Return where values equal a nodata tag, (bool of the same shape)."""
    value = marker(nodata, values.dtype)
    if value is None:
        return np.zeros(values.shape, bool)
    if values.dtype.kind != 'f' or value == 0:
        return values == values.dtype.type(value)
    low, high = sorted((value * (1 - ROUNDED), value * (1 + ROUNDED)))
    return (values >= low) & (values <= high)


def missing_pixels(image: np.ndarray, nodata: float | Sequence[float | None] | None) -> np.ndarray:
    """Return which pixels of an image are missing, (H, W) bool.

    A value that is not finite makes its pixel missing, and so does a marker that no sensor
    measures, in one band. Zero, and the largest value of unsigned integers, are also measured
    (a shadow, a roof): with those a pixel is missing where all bands have their marker.

    Args:
        image: (H, W, C).
        nodata: The marker, or one per band; None where there is none.
    """
    missing = np.zeros(image.shape[:2], bool)
    tags: list[Any] = [nodata] * image.shape[2]
    if isinstance(nodata, (list, tuple)):
        tags = list(nodata)
    usual = {tag: _is_measured(tag, image.dtype) for tag in set(tags)}
    for band, tag in enumerate(tags if not all(usual.values()) else ()):
        if tag is not None and not usual[tag]:
            missing |= is_marker(image[..., band], tag)
    if all(usual.values()):
        # The first band decides almost always; comparing all costs more than decoding a chip.
        empty = is_marker(image[..., 0], tags[0])
        for band in range(1, image.shape[2]):
            if not empty.any():
                break
            empty &= is_marker(image[..., band], tags[band])
        missing |= empty
    if image.dtype.kind == 'f':
        missing |= ~np.isfinite(image).all(axis=2)
    return missing


@functools.lru_cache(maxsize=256)
def _is_measured(tag: float | None, dtype: np.dtype) -> bool:
    """Whether a marker is a value that a sensor also measures."""
    value = marker(tag, dtype)
    if value is None:
        return False
    return value == 0 or (dtype.kind == 'u' and value == np.iinfo(dtype).max)


def fill_missing(image: np.ndarray, missing: np.ndarray | None) -> np.ndarray:
    """Put the mean of what a band has in the place of what it lacks.

    The mean moves neither statistics nor a network: after normalisation it is near 0.

    Args:
        image: (H, W, C).
        missing: (H, W) bool, None for nothing.

    Returns:
        The image itself where nothing is missing, else a copy of the same dtype; 0 where all is
        missing.
    """
    if missing is None or not missing.any():
        return image
    filled = image.copy()
    filled[missing] = band_means(image, missing)
    return filled


def band_means(image: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Return the mean of the present values of each band (C,) in the dtype of the image."""
    present = image[~missing]
    means = present.mean(axis=0, dtype=np.float64) if len(present) else np.zeros(image.shape[2])
    return (means if image.dtype.kind == 'f' else np.rint(means)).astype(image.dtype)


def present_values(image: np.ndarray, missing: np.ndarray | None) -> np.ndarray:
    """Return the present pixels (K, C) of an image (H, W, C); all of them where none is present."""
    pixels = image.reshape(-1, image.shape[2])
    if missing is None or missing.all() or not missing.any():
        return pixels
    return pixels[~missing.reshape(-1)]
