"""Average precision and F1 of many labels per image as evaluators."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.evaluator import BaseMetric

from rsmm.errors import ConfigError
from rsmm.evaluation.functional.multilabel import multilabel_average_precision, multilabel_f1
from rsmm.registry import METRICS


def label_and_score(sample: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """Multi-hot label ``(C,)``, -1 where unknown, and score ``(C,)`` of a data sample.

    Reads ``gt_score`` or else ``gt_label``, and ``pred_score``.
    """
    score = sample['pred_score'].detach().cpu()
    if 'gt_score' in sample:
        return sample['gt_score'].detach().cpu(), score
    return torch.zeros_like(score).index_fill(0, sample['gt_label'].cpu().view(-1), 1.0), score


class MultiLabelMetric(BaseMetric):
    """Base of the multi-label metrics: keeps labels and scores of all samples.

    Args:
        average: Which averages to report, of ``'micro'`` and ``'macro'``.
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
        self.average = (average,) if isinstance(average, str) else tuple(average)
        if not set(self.average) <= {'micro', 'macro'}:
            raise ConfigError(
                f'average={self.average}', where=type(self).__name__, fix="Use 'micro', 'macro'"
            )

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep labels and scores of a batch."""
        self.results.extend(label_and_score(sample) for sample in data_samples)

    def stacked(self, results: list) -> tuple[np.ndarray, np.ndarray]:
        """Labels and scores of all samples, each ``(N, C)``."""
        labels, scores = zip(*results, strict=True)
        return torch.stack(labels).numpy(), torch.stack(scores).numpy()


@METRICS.register_module()
class MultiLabelAP(MultiLabelMetric):
    """Micro and macro average precision in percent, as reported for BigEarthNet.

    Args:
        average: Which averages to report.
        collect_device: Device on which results of several processes meet.
        prefix: Prefix of the metric's names.
    """

    def compute_metrics(self, results: list) -> dict[str, float]:
        """``micro_ap`` and ``macro_ap``."""
        labels, scores = self.stacked(results)
        return {
            f'{average}_ap': 100 * multilabel_average_precision(labels, scores, average)
            for average in self.average
        }


@METRICS.register_module()
class MultiLabelF1(MultiLabelMetric):
    """Micro and macro F1 in percent.

    Args:
        average: Which averages to report.
        threshold: Probability that a predicted class exceeds.
        threshold_on: ``'logit'`` takes the threshold for one of the logits, as some published
            results do.
        collect_device: Device on which results of several processes meet.
        prefix: Prefix of the metric's names.
    """

    def __init__(
        self,
        average: Sequence[str] = ('micro', 'macro'),
        threshold: float = 0.5,
        threshold_on: str = 'probability',
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(average, collect_device, prefix)
        if threshold_on not in ('probability', 'logit'):
            raise ConfigError(f'threshold_on={threshold_on!r}', where='MultiLabelF1')
        self.threshold, self.threshold_on = threshold, threshold_on

    def compute_metrics(self, results: list) -> dict[str, float]:
        """``micro_f1`` and ``macro_f1``."""
        labels, scores = self.stacked(results)
        return {
            f'{average}_f1': 100
            * multilabel_f1(labels, scores, average, self.threshold, self.threshold_on)
            for average in self.average
        }
