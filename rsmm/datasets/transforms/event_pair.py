"""A pair of images of an event as it is tested: whole, in one size."""

from __future__ import annotations

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from rsmm.datasets.transforms.event_views import resized
from rsmm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ResizeEventPair(BaseTransform):
    """Bring the dates of a pair and the weights of its places to one square size.

    Required Keys: img (H, W, D, C), event_mask (H, W)

    Modified Keys: img: list of D images (size, size, C)

    Added Keys: event_weights (np.ndarray): (size, size) float32, 1 + ``eps`` where something
    changed and ``eps`` elsewhere

    Args:
        size: Side in pixels.
        eps: Weight of places without change.
    """

    def __init__(self, size: int = 112, eps: float = 0.01) -> None:
        self.size, self.eps = size, eps

    def transform(self, results: dict) -> dict:
        """Resize images and mask."""
        dates, side = results['img'], (self.size, self.size)
        mask = results['event_mask'].astype(np.float32)
        grows = min(mask.shape) <= self.size
        mode = cv2.INTER_NEAREST if grows else cv2.INTER_AREA
        results['event_weights'] = cv2.resize(mask, side, interpolation=mode) + np.float32(self.eps)
        results['img'] = [resized(dates[:, :, date], side) for date in range(dates.shape[2])]
        results['img_shape'] = side
        return results

    def __repr__(self) -> str:
        return f'ResizeEventPair(size={self.size}, eps={self.eps})'
