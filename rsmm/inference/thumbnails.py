"""Images at reduced size, and the limits that whole images are scaled by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rsmm.datasets.transforms.gaps import keep_missing
from rsmm.datasets.transforms.scaling import stretch
from rsmm.geo.missing import fill_missing
from rsmm.geo.raster import Raster
from rsmm.geo.streaming import Stack
from rsmm.registry import TRANSFORMS


def scene_limits(stack: Stack, scale: Mapping, side: int = 1024) -> tuple:
    """Return a scaling step and its limits for each image, taken from thumbnails.

    Args:
        stack: The open files.
        scale: Config of a scaling transform, e.g. ``dict(type='ScaleQuantile', out='uint8')``.
        side: Of the thumbnails in pixels, at most.
    """
    step = TRANSFORMS.build(dict(scale))
    return step, [step.limits(thumbnail(date, side)) for date in stack.dates]


def scaled(
    read,
    images: Sequence[str | Path],
    scale: Mapping,
    bands: Sequence[str] | None = None,
    order: Sequence[str] | None = None,
    **options,
):
    """Wrap a function that reads windows so that each image is scaled by limits of its own.

    Args:
        read: Maps a window to (h, w, C), or (h, w, 2, C) for two images.
        images: The files, of whose thumbnails the limits are taken.
        scale: Config of a scaling transform, e.g. ``dict(type='ScaleQuantile', out='uint8')``.
        bands, order, **options: See :class:`rsmm.geo.streaming.Stack`.
    """
    with Stack(images, bands, order, **options) as stack:
        step, limits = scene_limits(stack, scale)

    def read_scaled(window) -> np.ndarray:
        values = read(window)
        dates = [values] if values.ndim == 3 else list(np.moveaxis(values, 2, 0))
        pairs = zip(dates, limits, strict=True)
        dates = [stretch(date, low, high, step.out) for date, (low, high) in pairs]
        return dates[0] if len(dates) == 1 else np.stack(dates, axis=2)

    return read_scaled


def thumbnail(date: Raster, side: int = 1024) -> dict:
    """Read an image with at most ``side`` pixels a side, as a loader would give it."""
    share = min(1.0, side / max(date.shape))
    height, width = (max(1, round(share * n)) for n in date.shape)
    image, missing = date.read(out_shape=None if share == 1 else (height, width))
    about = {'bands': date.bands, 'nodata': date.nodata, 'img': fill_missing(image, missing)}
    return keep_missing(about, missing)
