"""Texture bands and band groups in the loader; the model can make both on its own device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from rsmm.errors import DataError
from rsmm.ops.band_groups import TEXTURE_PREFIX, resolve_groups
from rsmm.ops.texture import lbp
from rsmm.registry import TRANSFORMS
from rsmm.sensors import band_indices


@TRANSFORMS.register_module()
class AppendTexture(BaseTransform):
    """Append the uniform LBP codes of each band as further bands called ``LBP_<band>``.

    Codes are stored as ``code * (255 // (P + 1))`` so that the preprocessor's division by 255
    brings ``P + 1`` to 1, as :func:`rsmm.ops.band_groups.texture_bands` does (exact for P = 16).
    Slower than in the model: every worker then computes what the device does in passing.

    Required Keys: img (uint8, an array or a list of views), bands

    Modified Keys: img (twice the bands), bands

    Args:
        P: Neighbours; ``P + 1`` must divide 255.
        R: Radius in pixels.

    Raises:
        DataError: The image is not uint8.
    """

    def __init__(self, P: int = 16, R: float = 2.0) -> None:
        if 255 % (P + 1):
            raise DataError(f'P + 1 must divide 255, found P={P}', fix='Use P=16, P=14 or P=50')
        self.P = P
        self.R = R

    def transform(self, results: dict) -> dict:
        """Append texture to one image or to all views."""
        image = results['img']
        if isinstance(image, list):
            results['img'] = [self.append(one) for one in image]
        else:
            results['img'] = self.append(image)
        names = tuple(TEXTURE_PREFIX + band for band in results['bands'])
        results['bands'] = (*results['bands'], *names)
        return results

    def append(self, image: np.ndarray) -> np.ndarray:
        """Append to (H, W, C) its codes, (H, W, 2 C)."""
        if image.dtype != np.uint8:
            raise DataError(
                f'expected uint8, found {image.dtype}',
                where='AppendTexture',
                fix='Compute texture in the model (texture={}), or stretch to uint8 first',
            )
        codes = lbp(np.moveaxis(image, -1, 0), self.P, self.R, 'uniform')
        scaled = (codes * (255 // (self.P + 1))).astype(np.uint8)
        return np.concatenate([image, np.moveaxis(scaled, 0, -1)], axis=-1)

    def __repr__(self) -> str:
        return f'AppendTexture(P={self.P}, R={self.R})'


@TRANSFORMS.register_module()
class BandGroups(BaseTransform):
    """Split an image into three-band images, one per semantic group.

    Required Keys: img (an array or a list of views), bands

    Modified Keys: img (list of (H, W, 3) arrays; of views, a list of them per view)

    Added Keys: groups (list of band-name triples)

    Args:
        groups: ``'readme'``, ``'saco_code'``, ``'saco_code_eurosat'`` or triples of names. A
            missing B10 is replaced by B09; any other missing band is an error.
    """

    def __init__(self, groups: str | Sequence[Sequence[str]] = 'readme') -> None:
        self.groups = groups

    def transform(self, results: dict) -> dict:
        """Pick the bands of each group from ``img`` (H, W, C) or from each of its views."""
        names = results['groups'] = resolve_groups(self.groups, results['bands'])
        where = results.get('img_path')
        picks = [band_indices(results['bands'], group, where=where) for group in names]
        views = results['img'] if isinstance(results['img'], list) else [results['img']]
        groups = [[view[..., pick] for pick in picks] for view in views]
        results['img'] = groups if isinstance(results['img'], list) else groups[0]
        return results

    def __repr__(self) -> str:
        return f'BandGroups(groups={self.groups!r})'
