"""From stored values to a working range: min-max, quantiles, mean and deviation, reflectance.

Arithmetic is in float32, so unsigned integers never wrap around. Missing pixels take no part in the
statistics of an image.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from rsmm.datasets.transforms.gaps import MISSING, keep_missing, present_pixels
from rsmm.errors import ConfigError
from rsmm.geo.missing import is_marker, missing_pixels
from rsmm.registry import TRANSFORMS
from rsmm.sensors import band_stats

_SCOPES = ('image', 'band')
_OUTPUTS = ('float32', 'uint8')


def stretch(
    image: np.ndarray, low: np.ndarray | float, high: np.ndarray | float, out: str = 'float32'
) -> np.ndarray:
    """Map ``low..high`` to 0..1 (float32) or 0..255 (uint8, truncated), clipped.

    Args:
        image: (H, W, C).
        low: Value or (C,) values that become 0.
        high: Value or (C,) values that become 1 or 255; where it equals ``low`` the result is 0.
        out: ``'float32'`` or ``'uint8'``.
    """
    low = np.asarray(low, np.float32)
    span = np.asarray(high, np.float32) - low
    top = np.float32(255 if out == 'uint8' else 1)
    scaled = np.subtract(image, low, dtype=np.float32)
    # Multiply first: with integer values and limits this is exact, and truncation cannot lose a
    # level to rounding.
    scaled *= top
    scaled /= np.where(span > 0, span, np.float32(np.inf))
    np.clip(scaled, 0, top, out=scaled)
    return scaled.astype(np.uint8) if out == 'uint8' else scaled


class _Scale(BaseTransform):
    """Shared shell: checks the settings and replaces ``img``."""

    def __init__(self, scope: str = 'image', out: str = 'float32') -> None:
        for setting, value, known in (('scope', scope, _SCOPES), ('out', out, _OUTPUTS)):
            if value not in known:
                raise ConfigError(
                    f'{setting}={value!r} is not one of {", ".join(known)}',
                    where=type(self).__name__,
                )
        self.scope = scope
        self.out = out

    def limits(self, results: dict) -> tuple[np.ndarray, np.ndarray]:
        """Return the values that become 0 and 1."""
        raise NotImplementedError

    def transform(self, results: dict) -> dict:
        """Scale ``img`` (H, W, C)."""
        results['img'] = stretch(results['img'], *self.limits(results), self.out)
        # The marker is a stored value; after scaling no pixel can be compared with it.
        results['nodata'] = None
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(scope={self.scope!r}, out={self.out!r})'


@TRANSFORMS.register_module()
class ScaleMinMax(_Scale):
    """Map the smallest value of the image to 0 and the largest to 1.

    Required Keys: img, nodata (optional)

    Modified Keys: img, nodata

    Args:
        scope: ``'image'`` takes one range over all bands, ``'band'`` one per band.
        out: ``'float32'`` gives 0..1, ``'uint8'`` 0..255 truncated.
        limits: Fixed (low, high) instead of the image's own, each a number or one per band.
    """

    def __init__(
        self,
        scope: str = 'image',
        out: str = 'float32',
        limits: Sequence[float | Sequence[float]] | None = None,
    ) -> None:
        super().__init__(scope, out)
        self.fixed = None if limits is None else (np.array(limits[0]), np.array(limits[1]))

    def limits(self, results: dict) -> tuple[np.ndarray, np.ndarray]:
        """Return the fixed limits, or the image's minimum and maximum."""
        if self.fixed is not None:
            return self.fixed
        pixels = present_pixels(results)
        axis = 0 if self.scope == 'band' else None
        return pixels.min(axis), pixels.max(axis)


@TRANSFORMS.register_module()
class ScaleQuantile(_Scale):
    """Map a low quantile of the image to 0 and a high one to 1; clouds and glint do not set it.

    Required Keys: img, nodata (optional)

    Modified Keys: img, nodata

    Args:
        low: Lower quantile, 0..1.
        high: Upper quantile, 0..1.
        scope: ``'image'`` takes one range over all bands, ``'band'`` one per band.
        out: ``'float32'`` gives 0..1, ``'uint8'`` 0..255 truncated.
    """

    def __init__(
        self, low: float = 0.02, high: float = 0.98, scope: str = 'band', out: str = 'float32'
    ) -> None:
        super().__init__(scope, out)
        if not 0 <= low < high <= 1:
            raise ConfigError(f'low={low}, high={high} are no quantiles', where='ScaleQuantile')
        self.quantiles = (low, high)

    def limits(self, results: dict) -> tuple[np.ndarray, np.ndarray]:
        """Return the two quantiles."""
        pixels = present_pixels(results)
        low, high = np.quantile(pixels, self.quantiles, axis=0 if self.scope == 'band' else None)
        return low, high


@TRANSFORMS.register_module()
class ScaleMeanStd(_Scale):
    """Map ``mean - k std .. mean + k std`` of each band, over a dataset, to the working range.

    With ``k = 2`` and uint8 this is the 8-bit conversion of SeCo and BigEarthNet (Manas et al.,
    ICCV 2021): ``trunc(clip((x - (mean - 2 std)) / (4 std) * 255, 0, 255))``.

    Required Keys: img, bands (for ``stats``)

    Modified Keys: img, nodata

    Args:
        mean: Per-band means in stored units.
        std: Per-band standard deviations in stored units.
        stats: Key of ``rsmm.sensors.BAND_STATS`` to look the image's bands up in, instead of mean
            and std.
        num_std: ``k``.
        out: ``'uint8'`` gives 0..255 truncated, ``'float32'`` 0..1.
    """

    def __init__(
        self,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        stats: str | None = None,
        num_std: float = 2.0,
        out: str = 'uint8',
    ) -> None:
        super().__init__('band', out)
        if (stats is None) == (mean is None) or (mean is None) != (std is None):
            raise ConfigError('give either stats or both mean and std', where='ScaleMeanStd')
        self.given = None if mean is None else (mean, std)
        self.stats = stats
        self.num_std = num_std

    def limits(self, results: dict) -> tuple[np.ndarray, np.ndarray]:
        """Return ``mean - k std`` and ``mean + k std`` per band."""
        mean, std = self.given or band_stats(self.stats, results['bands'])
        middle, reach = np.asarray(mean), self.num_std * np.asarray(std)
        return middle - reach, middle + reach


def _fill_values(image: np.ndarray, marked: np.ndarray) -> np.ndarray:
    """Put the mean of a band's other values in the place of marked ones, 0 where there is none."""
    count = (~marked).sum(axis=(0, 1))
    means = np.where(marked, 0, image).sum(axis=(0, 1), dtype=np.float64) / np.maximum(count, 1)
    return np.where(marked, means.astype(np.float32), image)


@TRANSFORMS.register_module()
class ToReflectance(BaseTransform):
    """Turn digital numbers into reflectance: ``(DN + offset) / scale``, float32, not clipped.

    Sentinel-2 products of processing baseline 04.00 and later (January 2022) carry an offset of
    -1000; earlier ones 0.

    Missing pixels stay missing, and no marker becomes a reflectance: a single band that has it
    gets the mean of its other values.

    Required Keys: img, nodata (optional)

    Modified Keys: img, nodata, missing

    Args:
        scale: Digital numbers per unit of reflectance.
        offset: Added before the division, in digital numbers.
    """

    def __init__(self, scale: float = 10000.0, offset: float = 0.0) -> None:
        self.scale = scale
        self.offset = offset

    def transform(self, results: dict) -> dict:
        """Convert ``img`` (H, W, C)."""
        image, nodata = results['img'], results.get('nodata')
        marked = is_marker(image, nodata)
        if MISSING not in results:
            keep_missing(results, missing_pixels(image, nodata))
        image = np.add(image, np.float32(self.offset), dtype=np.float32)
        image /= np.float32(self.scale)
        if marked.any():
            image = _fill_values(image, marked)
        results['img'] = image
        results['nodata'] = None
        return results

    def __repr__(self) -> str:
        return f'ToReflectance(scale={self.scale}, offset={self.offset})'
