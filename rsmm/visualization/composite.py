"""Colour composites of images with any bands, chosen by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rsmm.errors import ConfigError
from rsmm.sensors import RGB, RGB_CAMERA, band_indices, canonical_band


def default_composite(bands: Sequence[str]) -> tuple[str, ...]:
    """Return natural colour where the bands have it, else the first three, else the first."""
    for colour in (RGB, RGB_CAMERA.band_names):
        if set(colour) <= set(bands):
            return colour
    return tuple(bands[:3]) if len(bands) >= 3 else (bands[0],)


def composite(
    image: np.ndarray,
    bands: Sequence[str],
    show: Sequence[str] | None = None,
    quantiles: tuple[float, float] = (0.02, 0.98),
) -> np.ndarray:
    """Turn an image into a picture for the screen.

    Bytes are shown as they are; other values are stretched between two quantiles taken over the
    shown bands together, so that colours keep their relation.

    Args:
        image: (H, W, C), any dtype.
        bands: Names aligned with the last axis.
        show: One or three names for gray or red, green, blue; None takes natural colour.
        quantiles: Values that become black and white.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ConfigError: ``show`` names neither one nor three bands.
        DataError: A band is absent.
    """
    show = tuple(canonical_band(band) for band in show) if show else default_composite(bands)
    if len(show) not in (1, 3):
        raise ConfigError(f'a picture has 1 or 3 bands, not {len(show)}: {", ".join(show)}')
    picture = image[..., band_indices(bands, show)]
    if picture.dtype != np.uint8:
        values = picture.astype(np.float64)
        low, high = np.nanquantile(values, quantiles)
        span = high - low if high > low else 1.0
        picture = np.clip(np.nan_to_num((values - low) / span) * 255, 0, 255).astype(np.uint8)
    return np.repeat(picture, 3, axis=2) if len(show) == 1 else np.ascontiguousarray(picture)
