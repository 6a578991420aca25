"""Feature maps written by ``FeatureMapDumpHook`` as images."""

from __future__ import annotations

import math

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from rsmm.errors import DataError
from rsmm.registry import TRANSFORMS
from rsmm.utils.foreign import parsing


@TRANSFORMS.register_module()
class LoadFeatureMap(BaseTransform):
    """Load the map of a tile as an image with one band per channel.

    Required Keys: img_path (str): a file of ``FeatureMapDumpHook``

    Added Keys:

    - img (np.ndarray): (h, w, C) float32; as a picture (side, side, 3) uint8
    - img_shape, ori_shape (tuple[int, int])

    Args:
        legacy_image: Make a picture as the urban-features study did: all values in storage order
            as one square, cut to 0..255. This loses sign and neighbourhood; it is here to
            compare with.

    Raises:
        DataError: The file is no map, or its values do not fill a square.
    """

    def __init__(self, legacy_image: bool = False) -> None:
        self.legacy_image = legacy_image

    def transform(self, results: dict) -> dict:
        """Read the map."""
        features = read_feature_map(results['img_path'])
        if self.legacy_image:
            image = picture_of(features, where=results['img_path'])
        else:
            image = features.transpose(1, 2, 0).astype(np.float32)
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def __repr__(self) -> str:
        return f'LoadFeatureMap(legacy_image={self.legacy_image})'


def read_feature_map(path: str) -> np.ndarray:
    """Return ``feat`` ``(C, h, w)`` of a map file.

    Raises:
        DataError: The file is broken or holds no map.
    """
    how = 'Write maps with FeatureMapDumpHook, see configs/crime'
    with parsing(path, 'is no feature map', how), np.load(path, allow_pickle=False) as file:
        features = file['feat']
    if features.ndim != 3:
        raise DataError(f'expected a map (C, h, w), found {features.shape}', where=path)
    return features


def picture_of(features: np.ndarray, where: str | None = None) -> np.ndarray:
    """Lay a map ``(C, h, w)`` out as the study's grey picture ``(side, side, 3)`` uint8.

    Raises:
        DataError: The number of values is not a square.
    """
    side = math.isqrt(features.size)
    if side * side != features.size:
        raise DataError(f'{features.shape} holds {features.size} values, not a square', where=where)
    grey = np.clip(features.reshape(side, side).astype(np.float32), 0, 255).astype(np.uint8)
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
