"""Multi-label average precision as an evaluator."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.evaluator import BaseMetric

from rsmm.evaluation.functional.multilabel import multilabel_average_precision
from rsmm.registry import METRICS


@METRICS.register_module()
class MultiLabelAP(BaseMetric):
    """Micro and macro average precision in percent, as reported for BigEarthNet.

    Reads ``gt_score`` (multi-hot) or ``gt_label`` and ``pred_score`` of mmpretrain's data samples.

    Args:
        average: Which averages to report.
        collect_device: Device on which results of several processes meet.
        prefix: Prefix of the metric's names.
    """

    default_prefix = 'multilabel'

    def __init__(
        self,
        average: Sequence[str] = ('micro', 'macro'),
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.average = tuple(average)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep labels and scores of a batch."""
        for sample in data_samples:
            score = sample['pred_score'].detach().cpu()
            if 'gt_score' in sample:
                label = sample['gt_score'].detach().cpu()
            else:
                label = torch.zeros_like(score)
                label[sample['gt_label'].cpu()] = 1
            self.results.append((label, score))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Averages in percent."""
        labels = torch.stack([label for label, _ in results]).numpy()
        scores = torch.stack([score for _, score in results]).numpy()
        return {
            f'{average}_ap': 100 * multilabel_average_precision(labels, scores, average)
            for average in self.average
        }
