"""Choosing bands by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from rsmm.registry import TRANSFORMS
from rsmm.sensors import band_indices, resolve_bands


@TRANSFORMS.register_module()
class SelectBands(BaseTransform):
    """Keep the named bands, in the order named.

    Required Keys: img, bands

    Modified Keys: img, bands

    Args:
        bands: Names (``['B04', 'B8A']``), the name of an order in ``rsmm.sensors``, or
            ``'s2-rgb'``.

    Raises:
        DataError: The image lacks a band.
    """

    def __init__(self, bands: str | Sequence[str]) -> None:
        self.bands = resolve_bands(bands)

    def transform(self, results: dict) -> dict:
        """Select bands of ``img`` (H, W, C), dtype unchanged."""
        if tuple(results['bands']) != self.bands:
            index = band_indices(results['bands'], self.bands, where=results.get('img_path'))
            results['img'] = np.ascontiguousarray(results['img'][..., index])
            results['bands'] = self.bands
        return results

    def __repr__(self) -> str:
        return f'SelectBands(bands={self.bands})'
