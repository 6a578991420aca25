"""Views of a pair of images with the mask of what changed between them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from rsmm.errors import ConfigError, DataError
from rsmm.geo.io import read_event_mask
from rsmm.geo.raster import read_raster
from rsmm.registry import TRANSFORMS

MASKS = ('area', 'reference')


@TRANSFORMS.register_module()
class LoadEventPair(BaseTransform):
    """Read before, after and mask; a pair with itself is read once.

    Required Keys: date_files, mask_path

    Added Keys:

    - img (np.ndarray): (H, W, D, C), stored dtype; D is 2, or 1 for a pair with itself
    - event_mask (np.ndarray): (H, W) bool, all True without a mask file
    - bands, img_shape, ori_shape

    Args:
        bands: Bands by name; None takes all.
        window: Side of a random window of both images in pixels, for scenes; None takes them whole.

    Raises:
        DataError: Images or mask differ in size or bands, or are smaller than the window.
    """

    def __init__(self, bands: str | Sequence[str] | None = None, window: int | None = None) -> None:
        self.bands = bands
        self.window = window

    def transform(self, results: dict) -> dict:
        """Read the pair."""
        first, second = results['date_files']
        before, found = read_raster(first, bands=self.bands)
        after, other = before, found
        if second != first:
            after, other = read_raster(second, bands=self.bands)
        if before.shape != after.shape or found['bands'] != other['bands']:
            raise DataError(
                f'{after.shape} in {", ".join(other["bands"])} differs from {before.shape} in '
                f'{", ".join(found["bands"])} of {first}',
                where=second,
            )
        mask = np.ones(before.shape[:2], bool)
        if results['mask_path'] is not None:
            mask = read_event_mask(results['mask_path'])
            if mask.shape != before.shape[:2]:
                raise DataError(
                    f'is {mask.shape[0]}x{mask.shape[1]}, its images are '
                    f'{before.shape[0]}x{before.shape[1]}',
                    where=results['mask_path'],
                )
        part = self._part(mask.shape, first)
        dates = [before] if second == first else [before, after]
        results['img'] = np.stack(dates, axis=2)[part]
        results['event_mask'] = mask[part]
        results['bands'] = found['bands']
        results['img_shape'] = results['ori_shape'] = results['img'].shape[:2]
        return results

    def _part(self, shape: tuple[int, int], path: str) -> tuple[slice, slice]:
        """Draw the window that images and mask are cut to."""
        if self.window is None:
            return slice(None), slice(None)
        height, width = shape
        if min(height, width) < self.window:
            raise DataError(f'{height}x{width} pixels hold no window of {self.window}', where=path)
        row = np.random.randint(height - self.window + 1)
        column = np.random.randint(width - self.window + 1)
        return slice(row, row + self.window), slice(column, column + self.window)

    def __repr__(self) -> str:
        return f'LoadEventPair(bands={self.bands}, window={self.window})'


@TRANSFORMS.register_module()
class EventViews(BaseTransform):
    """Two views of a pair; geometry is the same for before, after and mask within a view.

    Rotation by whole degrees, resizing, random crop, flips; no colour is changed. The weight of a
    place is 1 where the mask is on, after all geometry averaged to the cells of the feature map,
    plus ``eps``.

    Required Keys: img (H, W, D, C), event_mask (H, W)

    Modified Keys: img: list of (size, size, C), the D dates of the first view, then of the second

    Added Keys: event_weights (np.ndarray): (2, cells, cells) float32

    Args:
        resize: Side before the crop, in pixels.
        size: Side of a view.
        cells: Side of the feature map.
        eps: Weight of places without change.
        mask: ``'area'`` crops the mask as the images and averages it; ``'reference'`` as the
            published code does: shrunk before the crop, which never moves it, and without ``eps``
            in the corners that rotation leaves open.
    """

    def __init__(
        self,
        resize: int = 128,
        size: int = 112,
        cells: int = 7,
        eps: float = 0.01,
        mask: str = 'area',
    ) -> None:
        if mask not in MASKS or not 0 < size <= resize or size % cells:
            raise ConfigError(
                f'mask={mask!r}, resize={resize}, size={size}, cells={cells}',
                where="type='EventViews'",
                fix=f'mask: {", ".join(MASKS)}; size at most resize and a multiple of cells',
            )
        self.resize, self.size, self.cells, self.eps, self.mask = resize, size, cells, eps, mask

    def transform(self, results: dict) -> dict:
        """Draw two views."""
        pair, mask = results['img'], results['event_mask']
        views = [self._view(pair, mask) for _ in range(2)]
        results['img'] = [image[:, :, date] for image, _ in views for date in range(pair.shape[2])]
        results['event_weights'] = np.stack([weights for _, weights in views])
        results['img_shape'] = (self.size, self.size)
        return results

    def _view(self, pair: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        angle = np.random.randint(360)
        row, column = np.random.randint(self.resize - self.size + 1, size=2)
        flips = [axis for axis in (0, 1) if np.random.rand() < 0.5]
        side = (self.resize, self.resize)
        part = slice(row, row + self.size), slice(column, column + self.size)
        dates = [
            resized(rotated(pair[:, :, date], angle), side)[part] for date in range(pair.shape[2])
        ]
        weights = self._weights(mask, angle, part)
        return np.flip(np.stack(dates, axis=2), flips), np.flip(weights, flips)

    def _weights(self, mask: np.ndarray, angle: int, part: tuple[slice, slice]) -> np.ndarray:
        reference = self.mask == 'reference'
        values = mask.astype(np.float32) + (self.eps if reference else 0)
        turned = rotated_mask(values, angle)
        if reference:
            coarse = self.cells * self.resize // self.size
            small = cv2.resize(turned, (coarse, coarse), interpolation=cv2.INTER_AREA)
            return small[: self.cells, : self.cells]
        whole = cv2.resize(turned, (self.resize, self.resize), interpolation=cv2.INTER_NEAREST)
        block = self.size // self.cells
        cut = whole[part].reshape(self.cells, block, self.cells, block)
        return cut.mean(axis=(1, 3), dtype=np.float32) + np.float32(self.eps)

    def __repr__(self) -> str:
        return f'EventViews(resize={self.resize}, size={self.size}, mask={self.mask!r})'


def _turn(shape: Sequence[int], angle: float) -> np.ndarray:
    height, width = shape[:2]
    return cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)


def rotated(image: np.ndarray, angle: float) -> np.ndarray:
    """Turn an image (H, W, C) about its centre by degrees, bilinearly; borders are mirrored."""
    size = image.shape[1::-1]
    planes = [
        cv2.warpAffine(
            np.ascontiguousarray(image[..., start : start + 4]),  # OpenCV turns four bands at most
            _turn(image.shape, angle),
            size,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT,
        ).reshape(*image.shape[:2], -1)
        for start in range(0, image.shape[2], 4)
    ]
    return np.concatenate(planes, axis=2)


def rotated_mask(mask: np.ndarray, angle: float) -> np.ndarray:
    """Turn a mask (H, W) by the nearest value; 0 outside."""
    matrix = _turn(mask.shape, angle)
    return cv2.warpAffine(mask, matrix, mask.shape[::-1], flags=cv2.INTER_NEAREST)


def resized(image: np.ndarray, side: tuple[int, int]) -> np.ndarray:
    """Resize an image (H, W, C): averaged where it shrinks, bilinear where it grows."""
    mode = cv2.INTER_AREA if min(image.shape[:2]) > side[0] else cv2.INTER_LINEAR
    planes = [
        cv2.resize(image[..., band], side, interpolation=mode) for band in range(image.shape[2])
    ]
    return np.stack(planes, axis=2)
