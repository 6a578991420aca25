"""Changes of brightness and colour that are right for any band count and depth.

Integer images are computed in float32, rounded and clipped to their dtype's range, so uint16
neither wraps nor loses depth; 8-bit images go through look-up tables. Random numbers come from
NumPy's global generator, which rsmm's datasets seed per sample.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from rsmm.registry import TRANSFORMS
from rsmm.sensors import rgb_positions

#: Luma weights of red, green and blue (ITU-R BT.601).
LUMA = (0.299, 0.587, 0.114)
_BYTES = np.arange(256, dtype=np.float32)


def to_dtype(image: Any, dtype: Any) -> np.ndarray:
    """Cast a float image to ``dtype``; integers are rounded and clipped to their range."""
    dtype = np.dtype(dtype)
    if dtype.kind == 'f':
        return image.astype(dtype, copy=False)
    info = np.iinfo(dtype)
    return np.clip(np.rint(image), info.min, info.max).astype(dtype)


def affine_values(
    image: np.ndarray, factor: float | np.ndarray, shift: float | np.ndarray
) -> np.ndarray:
    """Return ``image * factor + shift`` in the dtype of the image, clipped, never wrapped.

    Args:
        image: (H, W, C).
        factor: Scalar or (C,).
        shift: Scalar or (C,), in stored units.
    """
    if image.dtype == np.uint8:
        factors, shifts = np.broadcast_arrays(np.float32(factor), np.float32(shift))
        table = to_dtype(_BYTES[:, None] * factors.reshape(1, -1) + shifts.reshape(1, -1), np.uint8)
        return cv2.LUT(np.ascontiguousarray(image), table[None]).reshape(image.shape)
    scaled = np.multiply(image, np.asarray(factor, np.float32), dtype=np.float32)
    scaled += np.asarray(shift, np.float32)
    return to_dtype(scaled, image.dtype)


def jitter_factor(strength: float) -> float:
    """Draw a factor from [max(0, 1 - strength), 1 + strength]."""
    return np.random.uniform(max(0.0, 1 - strength), 1 + strength)


@TRANSFORMS.register_module()
class RandomBrightnessContrast(BaseTransform):
    """Scale all values, and their distance from the image's mean, by random factors.

    ``output = brightness * (contrast * (x - mean) + mean)``; the mean is that of each band, so
    bands keep their relation.

    Required Keys: img

    Modified Keys: img (same dtype)

    Args:
        brightness: Factor is drawn from [1 - brightness, 1 + brightness].
        contrast: Factor is drawn from [1 - contrast, 1 + contrast].
        prob: Probability.
    """

    def __init__(self, brightness: float = 0.4, contrast: float = 0.4, prob: float = 0.8) -> None:
        self.brightness = brightness
        self.contrast = contrast
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Change ``img`` (H, W, C)."""
        if np.random.rand() < self.prob:
            brightness = jitter_factor(self.brightness)
            contrast = jitter_factor(self.contrast)
            image = results['img']
            mean = band_means(image)
            shift = brightness * (1 - contrast) * mean
            results['img'] = affine_values(image, brightness * contrast, shift)
        return results

    def __repr__(self) -> str:
        return (
            f'RandomBrightnessContrast(brightness={self.brightness}, '
            f'contrast={self.contrast}, prob={self.prob})'
        )


def band_means(image: np.ndarray) -> np.ndarray:
    """Per-band mean (C,) of an image (H, W, C) in float64."""
    pixels = np.ascontiguousarray(image).reshape(-1, image.shape[2])
    return cv2.reduce(pixels, 0, cv2.REDUCE_AVG, dtype=cv2.CV_64F)[0]


@TRANSFORMS.register_module()
class RandomGaussianBlur(BaseTransform):
    """Blur every band with one random width.

    Required Keys: img

    Modified Keys: img (same dtype)

    Args:
        sigma: Range of the standard deviation in pixels.
        prob: Probability.
    """

    def __init__(self, sigma: tuple[float, float] = (0.1, 2.0), prob: float = 0.5) -> None:
        self.sigma = tuple(sigma)
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Blur ``img`` (H, W, C) with mirrored borders."""
        if np.random.rand() < self.prob:
            results['img'] = gaussian_blur(
                results['img'], np.random.uniform(self.sigma[0], self.sigma[1])
            )
        return results

    def __repr__(self) -> str:
        return f'RandomGaussianBlur(sigma={self.sigma}, prob={self.prob})'


def gaussian_blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Blur an image (H, W, C) of any band count; the kernel reaches 2.5 sigma, at least 1 pixel."""
    size = 2 * max(1, int(2.5 * sigma + 0.5)) + 1
    blurred = cv2.GaussianBlur(np.ascontiguousarray(image), (size, size), sigma)
    return blurred.reshape(image.shape)


@TRANSFORMS.register_module()
class RandomBandDrop(BaseTransform):
    """Replace random bands by a constant, so that no band becomes indispensable.

    At least one band is kept.

    Required Keys: img

    Modified Keys: img

    Args:
        drop_prob: Probability of each band to be dropped.
        fill: Constant in stored units, or ``'mean'`` for the band's own mean in this image.
        prob: Probability that the transform is applied.
    """

    def __init__(
        self, drop_prob: float = 0.1, fill: float | str = 'mean', prob: float = 1.0
    ) -> None:
        self.drop_prob = drop_prob
        self.fill = fill
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Drop bands of ``img`` (H, W, C)."""
        if np.random.rand() < self.prob:
            image = results['img']
            dropped = np.random.rand(image.shape[2]) < self.drop_prob
            if dropped.all():
                dropped[np.random.randint(len(dropped))] = False
            for band in np.flatnonzero(dropped):
                plane = image[..., band]
                plane[...] = to_dtype(
                    np.float64(plane.mean() if self.fill == 'mean' else self.fill), image.dtype
                )
        return results

    def __repr__(self) -> str:
        return f'RandomBandDrop(drop_prob={self.drop_prob}, fill={self.fill!r}, prob={self.prob})'


@TRANSFORMS.register_module()
class RandomGray(BaseTransform):
    """Replace the three bands of a colour image by their luma.

    Required Keys: img, bands (red, green and blue of one sensor, in any order)

    Modified Keys: img

    Args:
        prob: Probability.

    Raises:
        DataError: The image is not a three-band colour image.
    """

    def __init__(self, prob: float = 0.2) -> None:
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Turn ``img`` (H, W, 3) gray."""
        if np.random.rand() < self.prob:
            positions = rgb_positions(results['bands'], where=results.get('img_path'))
            results['img'] = saturate(results['img'], 0.0, positions)
        return results

    def __repr__(self) -> str:
        return f'RandomGray(prob={self.prob})'


def saturate(
    image: np.ndarray, factor: float, positions: tuple[int, int, int] = (0, 1, 2)
) -> np.ndarray:
    """Move an image (H, W, 3) from its luma by ``factor``: 0 is gray, 1 unchanged.

    Args:
        image: Any dtype that OpenCV transforms: uint8, uint16, int16, float32.
        factor: Saturation factor.
        positions: Positions of red, green and blue.
    """
    weights = np.zeros(3)
    weights[list(positions)] = LUMA
    matrix = factor * np.eye(3) + (1 - factor) * np.tile(weights, (3, 1))
    return cv2.transform(np.ascontiguousarray(image), matrix)


@TRANSFORMS.register_module()
class RandomColorJitter(BaseTransform):
    """Change brightness, contrast, saturation and hue of a colour image in random order.

    The jitter of SimCLR (Chen et al., 2020) for 8-bit, 16-bit and float images; nothing assumes a
    range of values but the clipping to the dtype.

    Required Keys: img, bands (red, green and blue of one sensor, in any order)

    Modified Keys: img (same dtype)

    Args:
        brightness: Factor is drawn from [1 - brightness, 1 + brightness].
        contrast: As brightness; about the mean luma of the image.
        saturation: As brightness; about each pixel's luma.
        hue: Shift is drawn from [-hue, hue] of the colour circle, at most 0.5.
        prob: Probability.

    Raises:
        DataError: The image is not a three-band colour image.
    """

    def __init__(
        self,
        brightness: float = 0.4,
        contrast: float = 0.4,
        saturation: float = 0.4,
        hue: float = 0.1,
        prob: float = 0.8,
    ) -> None:
        self.strengths = (brightness, contrast, saturation, hue)
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Jitter ``img`` (H, W, 3)."""
        if np.random.rand() >= self.prob:
            return results
        positions = rgb_positions(results['bands'], where=results.get('img_path'))
        image = results['img']
        for step in np.random.permutation(4):
            strength = self.strengths[step]
            if strength == 0:
                continue
            if step == 0:
                image = affine_values(image, jitter_factor(strength), 0.0)
            elif step == 1:
                factor = jitter_factor(strength)
                luma = float(band_means(image)[list(positions)] @ LUMA)
                image = affine_values(image, factor, (1 - factor) * luma)
            elif step == 2:
                image = saturate(image, jitter_factor(strength), positions)
            else:
                image = shift_hue(image, np.random.uniform(-strength, strength), positions)
        results['img'] = image
        return results

    def __repr__(self) -> str:
        return f'RandomColorJitter(strengths={self.strengths}, prob={self.prob})'


def shift_hue(
    image: np.ndarray, shift: float, positions: tuple[int, int, int] = (0, 1, 2)
) -> np.ndarray:
    """Turn the hue of an image (H, W, 3) by ``shift`` of the colour circle.

    Args:
        image: uint8, or any dtype that float32 can hold.
        shift: -0.5..0.5; 1/3 turns red into green.
        positions: Positions of red, green and blue.
    """
    order = list(positions)
    rgb = np.ascontiguousarray(image[..., order]) if order != [0, 1, 2] else image
    rgb = np.ascontiguousarray(rgb)
    if image.dtype == np.uint8:
        # The full-range variant uses 256 steps, so the shift wraps around in uint8 by itself.
        hsv: Any = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV_FULL)
        hsv[..., 0] += np.uint8(round(shift * 256) % 256)
        turned = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)
    else:
        hsv = cv2.cvtColor(rgb.astype(np.float32), cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0] + np.float32(360 * shift)) % 360
        turned = to_dtype(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), image.dtype)
    if order == [0, 1, 2]:
        return turned
    restored = np.empty_like(turned)
    restored[..., order] = turned
    return restored
