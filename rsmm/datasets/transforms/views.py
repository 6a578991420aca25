"""Several views of one image: the same pipeline again, or a weak and a strong one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform, Compose

from rsmm.datasets.transforms.formatting import PackRaster, to_chw
from rsmm.datasets.transforms.photometric import to_dtype
from rsmm.errors import ConfigError
from rsmm.ops.views import Views
from rsmm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class MultiView(BaseTransform):
    """Run pipelines several times on one image and collect the results.

    mmpretrain's wrapper deep-copies the whole results dict for each view and drops the bands that a
    view selects; here a view gets a copy of the image only.

    Required Keys: img

    Modified Keys:

    - img (list[np.ndarray]): one image per view
    - bands, img_shape: those of the first view

    Args:
        transforms: One pipeline per group of views, or a single pipeline.
        num_views: Number of views of each group.
    """

    def __init__(
        self, transforms: Sequence[dict | Sequence[dict]], num_views: int | Sequence[int] = 2
    ) -> None:
        groups: Sequence = transforms if isinstance(transforms[0], (list, tuple)) else [transforms]
        counts = [num_views] * len(groups) if isinstance(num_views, int) else list(num_views)
        if len(counts) != len(groups):
            raise ValueError(f'{len(groups)} pipelines but num_views={num_views}')
        pipelines = [_compose(group) for group in groups]
        self.views = [
            pipeline
            for pipeline, count in zip(pipelines, counts, strict=True)
            for _ in range(count)
        ]

    def transform(self, results: dict) -> dict:
        """Make the views."""
        outputs = [view({**results, 'img': results['img'].copy()}) for view in self.views]
        results['img'] = [output['img'] for output in outputs]
        for key in ('bands', 'img_shape'):
            if key in outputs[0]:
                results[key] = outputs[0][key]
        return results

    def __repr__(self) -> str:
        return f'MultiView({len(self.views)} views)'


def _compose(transforms: Sequence[dict]) -> Compose:
    """Build a pipeline from rsmm's registry whatever the default scope is."""
    return Compose([TRANSFORMS.build(t) if isinstance(t, dict) else t for t in transforms])


@TRANSFORMS.register_module()
class WeakStrong(BaseTransform):
    """Make weak and strong views here, or draw their random numbers for the device to make them.

    Required Keys: img

    Added Keys:

    - views (dict[str, np.ndarray]): ``weak``, ``strong``, ``weak_2``, ..., each (H, W, C) in the
      stored dtype (``where='loader'``)
    - draws (dict[str, np.ndarray]): uniform numbers of the same views (``where='device'``)

    Args:
        weak: Number of weak views.
        strong: Number of strong views.
        where: ``'loader'`` makes the views in the worker; ``'device'`` leaves that to
            :class:`rsmm.models.data_preprocessors.two_stream.TwoStreamPreprocessor`, given the same
            ``views``, so that the worker only decodes. Views of integer images are rounded in the
            loader and not on the device; otherwise both are the same.
        views: Settings of :class:`rsmm.ops.views.Views`.

    Raises:
        ConfigError: ``where`` is neither of the two.
    """

    def __init__(self, views: dict, weak: int = 1, strong: int = 1, where: str = 'loader') -> None:
        if where not in ('loader', 'device'):
            raise ConfigError(f'where={where!r} is not one of loader, device', where='WeakStrong')
        self.views = Views(**views)
        self.counts = (weak, strong)
        self.where = where

    def transform(self, results: dict) -> dict:
        """Draw from NumPy's global generator; apply to ``img`` (H, W, C) or pass on."""
        draws = self.views.draw(*self.counts)
        if self.where == 'device':
            results['draws'] = draws
            return results
        image = to_chw(results['img'])[None]
        results['views'] = {
            name: self._view(image, numbers, results['img'].dtype)
            for name, numbers in draws.items()
        }
        return results

    def _view(self, image: torch.Tensor, numbers: np.ndarray, dtype: np.dtype) -> np.ndarray:
        view = self.views(image, torch.from_numpy(numbers)[None])[0]
        return to_dtype(view.permute(1, 2, 0).numpy(), dtype)

    def __repr__(self) -> str:
        return f'WeakStrong(weak={self.counts[0]}, strong={self.counts[1]}, where={self.where!r})'


@TRANSFORMS.register_module()
class FitSize(BaseTransform):
    """Bring an image to one size, as validation sees it: short side resized, middle square cut.

    For folders of images that differ in size, which no batch could hold otherwise.

    Required Keys: img

    Modified Keys: img (stored dtype), img_shape

    Args:
        views: Settings of :class:`rsmm.ops.views.Views`; size and kind of resizing are used.
    """

    def __init__(self, views: dict) -> None:
        self.views = Views(**views)

    def transform(self, results: dict) -> dict:
        """Resize ``img`` (H, W, C)."""
        fitted = self.views.centre(to_chw(results['img'])[None])[0].permute(1, 2, 0)
        results['img'] = to_dtype(np.ascontiguousarray(fitted.numpy()), results['img'].dtype)
        results['img_shape'] = results['img'].shape[:2]
        return results

    def __repr__(self) -> str:
        return f'FitSize(size={self.views.size})'


@TRANSFORMS.register_module()
class PackViews(PackRaster):
    """Pack the views of :class:`WeakStrong`, the label and what is known of place and date.

    Every sample has the meta keys ``latitude``, ``longitude`` (degrees) and ``day_of_year``
    (1..366), None where they are unknown.

    Required Keys: views, or img and draws, or img alone (validation)

    Added Keys:

    - inputs (torch.Tensor | dict[str, torch.Tensor]): (C, H, W), stored dtype
    - draws (dict[str, torch.Tensor]): where the device makes the views
    - data_samples (mmpretrain.structures.DataSample): ``gt_score`` (multi-hot, -1 is unknown) where
      the dataset gives one, else ``gt_label``

    Args:
        meta_keys: Further results to keep as meta information where present.
    """

    PLACE = ('latitude', 'longitude', 'day_of_year')

    def transform(self, results: dict) -> dict:
        """Return ``inputs``, ``data_samples`` and, for the device, ``draws``."""
        known = {**results, 'img': results['img']}
        score = known.get('gt_score')
        if score is not None:
            known.pop('gt_label', None)
        packed = super().transform(known)
        sample = packed['data_samples']
        if score is not None:
            sample.set_gt_score(torch.as_tensor(score, dtype=torch.float32))
        for key in self.PLACE:
            sample.set_field(results.get(key), key, field_type='metainfo')
        if 'views' in results:
            packed['inputs'] = {name: to_chw(view) for name, view in results['views'].items()}
        elif 'draws' in results:
            packed['draws'] = {
                name: torch.from_numpy(numbers) for name, numbers in results['draws'].items()
            }
        return packed

    def __repr__(self) -> str:
        return f'PackViews(meta_keys={self.meta_keys})'
