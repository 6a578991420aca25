"""Semantic segmentation as an evaluator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from rsmm.errors import DataError
from rsmm.evaluation.functional.class_table import class_table
from rsmm.evaluation.functional.segmentation import confusion_matrix, seg_scores
from rsmm.registry import METRICS


def maps_of(sample: Mapping) -> tuple[Any, Any]:
    """Return prediction and truth of one of mmseg's data samples.

    Raises:
        DataError: It has no truth.
    """
    if 'gt_sem_seg' not in sample:
        raise DataError(
            'has no label, so there is nothing to score',
            where=sample.get('img_path') or 'a sample',
            fix='Leave it out, or set test_evaluator=[] to predict alone',
        )
    return sample['pred_sem_seg']['data'], sample['gt_sem_seg']['data']


@METRICS.register_module()
class SegMetric(BaseMetric):
    """Overall accuracy, mean IoU, mean accuracy and mean F1, in percent.

    One confusion matrix over the whole data set; never a mean over images. The log shows the table
    of all classes.

    Reads ``pred_sem_seg`` and ``gt_sem_seg`` (1, H, W) of mmseg's data samples, and the number of
    classes from the dataset.

    Args:
        ignore_index: Label of pixels that do not count, outside the classes.
        void: Classes that are no classes, e.g. (19,) for PASTIS.
        include_background: Whether ``background`` counts.
        background: Label of the background.
        absent: Rule for classes without a pixel, see
            :func:`rsmm.evaluation.functional.seg_scores`.
        per_class: Add the IoU of each class by name.
        collect_device: Device on which results of several processes meet.
        prefix: Prefix of the names.
    """

    default_prefix = 'seg'

    def __init__(
        self,
        ignore_index: int = 255,
        void: Sequence[int] = (),
        include_background: bool = True,
        background: int = 0,
        absent: str = 'skip',
        per_class: bool = False,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.ignored = sorted({ignore_index, *void})
        self.void = tuple(void)
        self.include_background = include_background
        self.background = background
        self.absent = absent
        self.per_class = per_class

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Count the pixels of each sample."""
        classes = len(self.dataset_meta['classes'])
        for sample in data_samples:
            self.results.append(confusion_matrix(*maps_of(sample), classes, self.ignored))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Score the sum of the matrices."""
        matrix = np.sum(results, axis=0)
        scored = self.void, self.include_background, self.background
        scores: Any = seg_scores(matrix, *scored, self.absent)
        table = class_table(matrix, self.dataset_meta['classes'], *scored)
        print_log(f'\n{table}', 'current')
        named = {key: 100 * scores[key] for key in ('oa', 'miou', 'macc', 'mf1')}
        if self.per_class:
            for name, iou in zip(self.dataset_meta['classes'], scores['iou'], strict=True):
                if not np.isnan(iou):
                    named[f'iou/{name}'] = 100 * float(iou)
        return named
