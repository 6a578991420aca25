"""From a results dict to what a model takes: one tensor or several views, and a data sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from rsmm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackRaster(BaseTransform):
    """Pack an image of any band count and dtype into a tensor, and the rest into a data sample.

    Does what mmpretrain's ``PackInputs`` does and keeps the bands and the georeference, which the
    figures and the map writers need. Importing this one does not import mmpretrain's models.

    Required Keys: img (an array or a list of views)

    Added Keys:

    - inputs (torch.Tensor | list[torch.Tensor]): (C, H, W), stored dtype
    - data_samples (mmpretrain.structures.DataSample): ``gt_label`` and meta keys

    Args:
        meta_keys: Results to keep as meta information where present.
    """

    META_KEYS = (
        'sample_idx',
        'img_path',
        'ori_shape',
        'img_shape',
        'bands',
        'nodata',
        'crs',
        'transform',
        'flip',
        'flip_direction',
    )

    def __init__(self, meta_keys: Sequence[str] = META_KEYS) -> None:
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: dict) -> dict:
        """Return ``inputs`` and ``data_samples`` only."""
        from mmpretrain.structures import DataSample

        image = results['img']
        views = isinstance(image, (list, tuple))
        sample = DataSample()
        if 'gt_label' in results:
            sample.set_gt_label(results['gt_label'])
        for key in self.meta_keys:
            if results.get(key) is not None:
                sample.set_field(results[key], key, field_type='metainfo')
        return {
            'inputs': [to_chw(view) for view in image] if views else to_chw(image),
            'data_samples': sample,
        }

    def __repr__(self) -> str:
        return f'PackRaster(meta_keys={self.meta_keys})'


def to_chw(image: np.ndarray) -> torch.Tensor:
    """Turn an image (H, W, C) or (H, W) into a contiguous tensor (C, H, W) of the same dtype."""
    if image.ndim == 2:
        image = image[..., None]
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
