"""The augmentation of SACo's released code, which moves every band on its own."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from rsmm.datasets.transforms.geometry import dihedral
from rsmm.datasets.transforms.photometric import affine_values, band_means, jitter_factor
from rsmm.registry import TRANSFORMS
from rsmm.sensors import SENTINEL2


@TRANSFORMS.register_module()
class PerBandAug(BaseTransform):
    """Rotate, flip, crop and re-light each band at its own pixel size.

    The released code cuts a fixed number of native pixels out of every band: of a 2.6 km scene, 128
    pixels are the middle half of a 10 m band, nearly all of a 20 m band, and nearly three times the
    width of a 60 m band, which is padded with zeros. The bands then no longer show the same ground.
    Angle, flip and whether to crop are drawn once per image, brightness and contrast per band.
    For comparison with published runs; :class:`SharedGeometricAug` keeps one footprint.

    Required Keys: img, bands

    Modified Keys: img (same shape and dtype)

    Args:
        prob: Probability of each change.
        crop: Native pixels that a crop keeps; a rotation crops too.
        extent: Width of a scene in metres.
        brightness: Its factor is drawn from [1 - brightness, 1 + brightness].
        contrast: As brightness, about the mean of the band.
    """

    def __init__(
        self,
        prob: float = 0.5,
        crop: int = 128,
        extent: float = 2640.0,
        brightness: float = 0.1,
        contrast: float = 0.1,
    ) -> None:
        self.prob = prob
        self.crop = crop
        self.extent = extent
        self.brightness = brightness
        self.contrast = contrast

    def transform(self, results: dict) -> dict:
        """Draw with NumPy's global generator."""
        image = results['img']
        turns, flips, crops, lights = np.random.rand(4) < self.prob
        angle = int(np.random.randint(361)) if turns else 0
        if turns or crops:
            image = self.cut(image, results['bands'], angle)
        if flips:
            image = dihedral(image, 1)
        if lights:
            factors = [
                (jitter_factor(self.brightness), jitter_factor(self.contrast))
                for _ in results['bands']
            ]
            brightness, contrast = np.array(factors).T
            shift = brightness * (1 - contrast) * band_means(image)
            image = affine_values(image, brightness * contrast, shift)
        results['img'] = image
        return results

    def cut(self, image: np.ndarray, bands: Sequence[str], angle: float) -> np.ndarray:
        """Turn each band and cut ``crop`` of its native pixels, with zeros outside (H, W, C)."""
        height, width = image.shape[:2]
        centre = (width - 1) / 2, (height - 1) / 2
        planes = []
        for position, band in enumerate(bands):
            zoom = self.extent / SENTINEL2[band].gsd / self.crop
            matrix = cv2.getRotationMatrix2D(centre, angle, zoom)
            plane = np.ascontiguousarray(image[..., position])
            planes.append(cv2.warpAffine(plane, matrix, (width, height)))
        return np.stack(planes, axis=-1)

    def __repr__(self) -> str:
        return f'PerBandAug(prob={self.prob}, crop={self.crop}, extent={self.extent})'
