"""Several views of one image."""

from __future__ import annotations

from collections.abc import Sequence

from mmcv.transforms import BaseTransform, Compose

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
        groups = transforms if isinstance(transforms[0], (list, tuple)) else [transforms]
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
