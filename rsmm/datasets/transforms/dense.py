"""Geometry and packing of images that have a label map: single, paired in time, or series.

Several dates are one array (H, W, T, C). Geometry acts on the first two axes, so that all dates
and the label stay aligned; bands stay the last axis.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from rsmm.datasets.transforms.gaps import blanked, field_fill, missing_of, pack_missing
from rsmm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PadMap(BaseTransform):
    """Extend image and label to the right and below up to a size or a multiple of it.

    Required Keys: img, the fields named in seg_fields (optional)

    Modified Keys: img (filled with 0), fields (filled with 255), img_shape

    Args:
        size: Side in pixels.
        multiple: Extend to the next multiple of ``size`` instead.
    """

    def __init__(self, size: int, multiple: bool = False) -> None:
        self.size = size
        self.multiple = multiple

    def transform(self, results: dict) -> dict:
        """Pad ``img`` (H, W, ...)."""
        shape = results['img'].shape[:2]
        missing = [-n % self.size if self.multiple else max(0, self.size - n) for n in shape]
        if any(missing):
            for key, fill in (
                ('img', 0),
                *((field, field_fill(field)) for field in results.get('seg_fields', ())),
            ):
                image = results[key]
                pad = [(0, extra) for extra in missing] + [(0, 0)] * (image.ndim - 2)
                results[key] = np.pad(image, pad, constant_values=fill)
        results['img_shape'] = results['img'].shape[:2]
        return results

    def __repr__(self) -> str:
        return f'PadMap(size={self.size}, multiple={self.multiple})'


@TRANSFORMS.register_module()
class RandomCropMap(BaseTransform):
    """Cut the same random square from image and label.

    Required Keys: img, the fields named in seg_fields

    Modified Keys: img, fields, img_shape

    Args:
        size: Side in pixels; smaller images are padded first, see :class:`PadMap`.
        focus: Probability that the square is laid over a random pixel of class ``focus_class``,
            for classes as rare as change.
        focus_class: That class.
    """

    def __init__(self, size: int, focus: float = 0.0, focus_class: int = 1) -> None:
        self.size = size
        self.focus = focus
        self.focus_class = focus_class
        self.pad = PadMap(size)

    def transform(self, results: dict) -> dict:
        """Crop ``img`` (H, W, ...)."""
        results = self.pad(results)
        height, width = results['img'].shape[:2]
        top, left = (np.random.randint(n - self.size + 1) for n in (height, width))
        if np.random.rand() < self.focus:
            # Decide before looking, so that the stream of numbers does not depend on the label.
            pick, shift = np.random.rand(), np.random.rand(2)
            rows, columns = np.nonzero(results['gt_seg_map'] == self.focus_class)
            if len(rows):
                k = int(pick * len(rows))
                corner = np.array([rows[k], columns[k]]) - (shift * self.size).astype(int)
                top, left = np.clip(corner, 0, (height - self.size, width - self.size))
        for key in ('img', *results.get('seg_fields', ())):
            results[key] = results[key][top : top + self.size, left : left + self.size]
        results['img_shape'] = (self.size, self.size)
        return results

    def __repr__(self) -> str:
        return f'RandomCropMap(size={self.size}, focus={self.focus})'


@TRANSFORMS.register_module()
class PackMap(BaseTransform):
    """Pack an image, a pair or a series and its label map for a segmentation model.

    Required Keys: img, gt_seg_map (optional), days (series only)

    Added Keys:

    - inputs: (C, H, W); a list of two for a pair; (T, C, H, W) for a series; stored dtype
    - data_samples (mmseg.structures.SegDataSample): ``gt_sem_seg`` (1, H, W) int64, 255 where a
      pixel is missing; ``missing`` (T, H, W) bool where any is; meta keys

    Args:
        meta_keys: Results to keep as meta information where present.
    """

    META_KEYS = (
        'img_path',
        'img_paths',
        'label_path',
        'name',
        'window',
        'bands',
        'dates',
        'days',
        'crs',
        'transform',
        'sample_idx',
    )

    def __init__(self, meta_keys: Sequence[str] = META_KEYS) -> None:
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: dict) -> dict:
        """Return ``inputs`` and ``data_samples`` only."""
        from mmengine.structures import PixelData
        from mmseg.structures import SegDataSample

        image = results['img']
        axes = (2, 0, 1) if image.ndim == 3 else (2, 3, 0, 1)
        tensor = torch.from_numpy(np.ascontiguousarray(image.transpose(axes)))
        shape = tuple(image.shape[:2])
        # mmseg resizes predictions back to ori_shape; here tiles are predicted as they are.
        meta = {'ori_shape': shape, 'img_shape': shape, 'pad_shape': shape}
        meta |= {key: results[key] for key in self.meta_keys if results.get(key) is not None}
        sample = SegDataSample(metainfo=meta)
        missing = missing_of(results)
        pack_missing(sample, missing)
        if 'gt_seg_map' in results:
            label = blanked(results['gt_seg_map'], missing)
            label = np.ascontiguousarray(label[None], np.int64)
            sample.gt_sem_seg = PixelData(data=torch.from_numpy(label))
        pair = image.ndim == 4 and 'days' not in results
        return {'inputs': list(tensor) if pair else tensor, 'data_samples': sample}

    def __repr__(self) -> str:
        return f'PackMap(meta_keys={self.meta_keys})'
