"""Change detection as an evaluator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmengine.dist import get_rank
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from rsmm.datasets.classes import CLASSES
from rsmm.evaluation.functional.change import change_counts, scores_from_counts
from rsmm.evaluation.functional.class_table import class_table
from rsmm.evaluation.metrics.segmentation import maps_of
from rsmm.registry import METRICS


@METRICS.register_module()
class ChangeMetric(BaseMetric):
    """Precision, recall, F1, IoU and kappa of the change class, in percent.

    The numbers are micro: pixels of all samples are counted together. Published OSCD tables of the
    SeCo family average per batch instead, so that F1 is not the harmonic mean of the precision and
    recall beside it; ``per_batch=True`` adds those as ``batch_*``.

    Reads ``pred_sem_seg`` and ``gt_sem_seg`` (1, H, W) of mmseg's data samples.

    Args:
        ignore_index: Label of pixels that do not count (padding).
        per_batch: Add the mean over batches. It depends on the batch size and the order.
        collect_device: Device on which results of several processes meet.
        prefix: Prefix of the names.
    """

    default_prefix = 'change'

    def __init__(
        self,
        ignore_index: int = 255,
        per_batch: bool = False,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.ignore_index = ignore_index
        self.per_batch = per_batch
        self.batches = 0

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Count the pixels of each sample."""
        batch = (get_rank(), self.batches)
        self.batches += 1
        for sample in data_samples:
            counts = change_counts(*maps_of(sample), self.ignore_index)
            self.results.append((batch, counts))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Score the sum of the counts."""
        self.batches = 0
        total = np.sum([counts for _, counts in results], axis=0)
        scores = scores_from_counts(total)
        hit, false, missed, quiet = total
        matrix = np.array([[quiet, false], [missed, hit]])
        print_log(f'\n{class_table(matrix, CLASSES["change"])}', 'current')
        if self.per_batch:
            batches: dict[tuple[int, int], np.ndarray] = {}
            for batch, counts in results:
                batches[batch] = batches.get(batch, 0) + counts
            parts = [scores_from_counts(counts) for counts in batches.values()]
            scores |= {
                f'batch_{key}': float(np.mean([part[key] for part in parts])) for key in scores
            }
        return {key: 100 * float(value) for key, value in scores.items()}
