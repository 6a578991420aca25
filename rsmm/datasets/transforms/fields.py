"""Fields that look different on two dates without anything having been built."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from rsmm.datasets.transforms.gaps import IGNORE
from rsmm.datasets.transforms.photometric import to_dtype
from rsmm.errors import DataError
from rsmm.registry import TRANSFORMS
from rsmm.sensors import canonical_band

#: Colours of farmland, (mean, deviation) in standard deviations of built-up land from its mean: 840
#: chips of EuroSAT's four classes of fields and meadows against 440 of its two of buildings.
FARMLAND = {'B04': (0.47, 1.1), 'B03': (0.26, 0.93), 'B02': (0.0, 0.88)}
#: Reach of these colours, from dark meadow to bare sand, in the same units.
REACH = {'B04': (-1.5, 3.3), 'B03': (-1.4, 2.7), 'B02': (-1.6, 2.3)}


def parcels(height: int, width: int, count: int) -> np.ndarray:
    """Divide an area into fields by nearest seeds in a turned and stretched metric.

    Args:
        height, width: Size in pixels.
        count: Number of fields.

    Returns:
        Number of the field of each pixel, (height, width) int64.
    """
    angle, stretch = np.random.uniform(0, np.pi), np.random.uniform(1, 3)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turn[1] *= stretch
    grid = np.moveaxis(np.mgrid[:height, :width], 0, -1)
    seeds = np.random.uniform(0, 1, (count, 2)) * (height, width)
    offsets = (grid[:, :, None] - seeds) @ turn.T
    # City blocks have straight sides along the axes, circles cut at any angle.
    norm = np.abs(offsets).sum(-1) if np.random.rand() < 0.5 else np.square(offsets).sum(-1)
    return norm.argmin(-1)


def half_plane(height: int, width: int) -> np.ndarray:
    """Return one side of a random line near the middle, (height, width) bool."""
    angle = np.random.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[:height, :width]
    offset = np.random.uniform(-0.3, 0.3) * min(height, width)
    across = (columns - width / 2) * np.cos(angle) + (rows - height / 2) * np.sin(angle)
    return across > offset


def field_colour(bands: tuple[str, ...]) -> np.ndarray:
    """Draw the colour of a field on one date, (C,) in standard deviations of built-up land."""
    mean, deviation = np.array([FARMLAND[band] for band in bands]).T
    low, high = np.array([REACH[band] for band in bands]).T
    # Brightness moves all bands together, from crop to stubble; the rest is hue.
    colour = mean + deviation * np.random.normal() + np.random.normal(0, 0.25, len(bands))
    return np.clip(colour, low, high)


@TRANSFORMS.register_module()
class RandomFields(BaseTransform):
    """Lay a patchwork of fields over part of a pair; crops of another season are no change.

    Cities have few fields, and those of the labelled pairs fewer still, so that a detector takes
    the first ploughed field it meets for a building site. Here each field gets its own colour on
    each date, drawn from those of real farmland, a grain and, in a quarter of cases, the same
    colour twice; the label beneath becomes 0.

    Required Keys: img (H, W, 2, C), bands (red, green and blue), gt_seg_map (H, W)

    Modified Keys: img (same dtype), gt_seg_map

    Args:
        prob: Probability.
        mean: Mean of the images in their present units; the default is that of scenes stretched
            by ``ScaleQuantile(out='uint8')``.
        std: Standard deviation of the images in these units.

    Raises:
        DataError: A band that is not red, green or blue.
    """

    def __init__(self, prob: float = 0.4, mean: float = 85.0, std: float = 62.0) -> None:
        self.prob, self.mean, self.std = prob, mean, std

    def transform(self, results: dict) -> dict:
        """Paint fields into ``img`` and take them out of the label."""
        if np.random.rand() >= self.prob:
            return results
        bands = tuple(canonical_band(band) for band in results['bands'])
        if not set(bands) <= set(FARMLAND):
            raise DataError(
                f'has bands {", ".join(bands)}; colours of fields are known for B04, B03, B02',
                where=results.get('img_path'),
                fix="Load bands='rgb', or leave RandomFields out",
            )
        image = results['img']
        height, width = image.shape[:2]
        area = half_plane(height, width)
        field = parcels(height, width, np.random.randint(3, 14))
        keep = np.random.rand(field.max() + 1) < np.random.uniform(0.2, 0.9)
        painted = area & keep[field]
        values = image.astype(np.float32)
        grain: Any = cv2.GaussianBlur(
            np.random.normal(size=(height, width)), (0, 0), np.random.uniform(1, 4)
        )
        grain /= max(grain.std(), 1e-6)
        for number in np.flatnonzero(keep):
            self._paint(values, area & (field == number), grain, bands)
        results['img'] = to_dtype(values, image.dtype)
        label = results['gt_seg_map'].copy()
        label[painted & (label != IGNORE)] = 0
        results['gt_seg_map'] = label
        return results

    def _paint(
        self, values: np.ndarray, mask: np.ndarray, grain: np.ndarray, bands: tuple[str, ...]
    ) -> None:
        """Colour one field of ``values`` (H, W, 2, C) on both dates, in place."""
        if not mask.any():
            return
        first, second = field_colour(bands), field_colour(bands)
        if np.random.rand() < 0.25:
            second = first + np.random.normal(0, 0.07, len(bands))
        strength = np.random.uniform(0.02, 0.15)
        soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.6)[..., None]
        for date, colour in enumerate((first, second)):
            noise = np.random.normal(0, 0.05, mask.shape)
            look = colour + (grain * strength * np.random.uniform(0.3, 1) + noise)[..., None]
            values[:, :, date] += soft * (self.mean + self.std * look - values[:, :, date])

    def __repr__(self) -> str:
        return f'RandomFields(prob={self.prob}, mean={self.mean}, std={self.std})'
