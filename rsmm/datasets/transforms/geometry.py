"""Geometry that mmcv and mmpretrain lack; their flips, crops and resizes take any band count."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from rsmm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomDihedral(BaseTransform):
    """Apply one of the eight symmetries of the square, each equally likely.

    Images from above have no up or down. Images that are not square get one of the four symmetries
    that keep their shape.

    Required Keys: img, the fields named in seg_fields (optional)

    Modified Keys: img, the fields named in seg_fields

    Args:
        prob: Probability of drawing a symmetry at all.
    """

    def __init__(self, prob: float = 1.0) -> None:
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Turn image and label maps by the same symmetry; arrays become views, not copies."""
        if np.random.rand() >= self.prob:
            return results
        code = int(np.random.randint(8))
        height, width = results['img'].shape[:2]
        if height != width:
            code &= 3
        for key in ('img', *results.get('seg_fields', ())):
            results[key] = dihedral(results[key], code)
        return results

    def __repr__(self) -> str:
        return f'RandomDihedral(prob={self.prob})'


def dihedral(image: np.ndarray, code: int) -> np.ndarray:
    """Return a view of an image (H, W[, C]) under symmetry ``code`` 0..7 of the square.

    Bit 0 flips left-right, bit 1 flips top-bottom, bit 2 transposes (after the flips).
    """
    if code & 1:
        image = image[:, ::-1]
    if code & 2:
        image = image[::-1]
    if code & 4:
        image = image.swapaxes(0, 1)
    return image


@TRANSFORMS.register_module()
class RandomAffine(BaseTransform):
    """Rotate and shear about the centre; mirrored borders, so no invented black corners.

    Required Keys: img

    Modified Keys: img (same shape and dtype)

    Args:
        degrees: Rotation is drawn from [-degrees, degrees].
        shear: Shear angle along x is drawn from [-shear, shear], in degrees.
        prob: Probability.
    """

    def __init__(self, degrees: float = 0.0, shear: float = 0.0, prob: float = 0.5) -> None:
        self.degrees = degrees
        self.shear = shear
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Warp ``img`` (H, W, C) bilinearly."""
        if np.random.rand() < self.prob:
            angle = np.random.uniform(-self.degrees, self.degrees)
            shear = np.random.uniform(-self.shear, self.shear)
            results['img'] = warp(results['img'], angle, shear)
        return results

    def __repr__(self) -> str:
        return f'RandomAffine(degrees={self.degrees}, shear={self.shear}, prob={self.prob})'


def warp(image: np.ndarray, angle: float, shear: float) -> np.ndarray:
    """Rotate by ``angle`` and shear along x by ``shear`` degrees about the centre.

    Args:
        image: (H, W, C), uint8, uint16, int16 or float32.
        angle: Counter-clockwise as seen on the screen, in degrees.
        shear: In degrees.
    """
    height, width = image.shape[:2]
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    radians = np.deg2rad(angle)
    # Rows point down, so the sine changes sign against the textbook matrix.
    rotation = np.array([[np.cos(radians), np.sin(radians)], [-np.sin(radians), np.cos(radians)]])
    linear = rotation @ np.array([[1, np.tan(np.deg2rad(shear))], [0, 1]])
    matrix = np.column_stack([linear, centre - linear @ centre])
    warped = cv2.warpAffine(
        np.ascontiguousarray(image), matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101
    )
    return warped.reshape(image.shape)


@TRANSFORMS.register_module()
class RandomResizedCrop(BaseTransform):
    """Crop a random area and aspect ratio and resize it (Szegedy et al., 2015).

    mmpretrain's version does the same in up to ten draws through several layers of Python; at two
    views of a 64-pixel chip those layers cost more than the resize. Here one draw is made and cut
    to what fits into the image.

    Required Keys: img

    Modified Keys: img (size, size, C) of the same dtype; img_shape

    Args:
        size: Output height and width in pixels.
        scale: Range of the cropped share of the area.
        ratio: Range of the crop's width / height, drawn log-uniformly.
        interpolation: ``'bilinear'``, ``'area'`` or ``'bicubic'``.
    """

    _MODES = {
        'bilinear': cv2.INTER_LINEAR,
        'area': cv2.INTER_AREA,
        'bicubic': cv2.INTER_CUBIC,
    }

    def __init__(
        self,
        size: int,
        scale: Sequence[float] = (0.2, 1.0),
        ratio: Sequence[float] = (3 / 4, 4 / 3),
        interpolation: str = 'bilinear',
    ) -> None:
        self.size = size
        self.scale = tuple(scale)
        self.log_ratio = (float(np.log(ratio[0])), float(np.log(ratio[1])))
        self.interpolation = self._MODES[interpolation]

    def transform(self, results: dict) -> dict:
        """Crop and resize ``img`` (H, W, C)."""
        image = results['img']
        height, width = image.shape[:2]
        share = np.random.uniform(self.scale[0], self.scale[1])
        ratio = np.exp(np.random.uniform(*self.log_ratio))
        crop_w, crop_h = crop_size(height, width, share, ratio)
        top = int(np.random.randint(height - crop_h + 1))
        left = int(np.random.randint(width - crop_w + 1))
        crop = image[top : top + crop_h, left : left + crop_w]
        results['img'] = resize(crop, (self.size, self.size), self.interpolation)
        results['img_shape'] = (self.size, self.size)
        return results

    def __repr__(self) -> str:
        return f'RandomResizedCrop(size={self.size}, scale={self.scale})'


def resize(image: np.ndarray, shape: tuple[int, int], interpolation: int) -> np.ndarray:
    """Resize an image (H, W, C) of any band count to ``shape`` (H', W').

    OpenCV's area interpolation takes four bands at most, so more are done in groups.

    Args:
        image: uint8, uint16, int16 or float32.
        shape: Output height and width in pixels.
        interpolation: One of OpenCV's ``INTER_*``.
    """
    if interpolation == cv2.INTER_AREA and image.shape[2] > 4:
        groups = [image[..., start : start + 4] for start in range(0, image.shape[2], 4)]
        return np.concatenate([resize(group, shape, interpolation) for group in groups], axis=2)
    resized = cv2.resize(np.ascontiguousarray(image), shape[::-1], interpolation=interpolation)
    return resized.reshape(*shape, image.shape[2])


def crop_size(height: int, width: int, share: float, ratio: float) -> tuple[int, int]:
    """Return (width, height) of a crop of a share of the area, cut to what fits the image.

    Args:
        height: Image height in pixels.
        width: Image width in pixels.
        share: Wanted share of the area, (0, 1].
        ratio: Wanted width / height.
    """
    area = share * height * width
    crop_w = min(max(round((area * ratio) ** 0.5), 1), width)
    crop_h = min(max(round((area / ratio) ** 0.5), 1), height)
    return crop_w, crop_h
