"""Calibration error and balanced accuracy as evaluators."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.evaluator import BaseMetric

from rsmm.evaluation.functional.calibration import confidence_and_hits, reliability
from rsmm.evaluation.functional.classification import balanced_accuracy
from rsmm.evaluation.metrics.multilabel import label_and_score
from rsmm.registry import METRICS


@METRICS.register_module()
class CalibrationError(BaseMetric):
    """Expected calibration error in percent, with mean confidence and accuracy beside it.

    Reads ``pred_score`` and ``gt_label`` or ``gt_score`` of mmpretrain's data samples.

    Args:
        bins: Bins of equal width.
        multi_label: Every pair of sample and class is a prediction of its own.
        collect_device: Device on which results of several processes meet.
        prefix: Prefix of the metric's names.
    """

    default_prefix = 'calibration'

    def __init__(
        self,
        bins: int = 15,
        multi_label: bool = False,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.bins, self.multi_label = bins, multi_label

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep confidences and whether they are right."""
        for sample in data_samples:
            if self.multi_label:
                label, score = (part.numpy()[None] for part in label_and_score(sample))
            else:
                label = np.array([int(torch.as_tensor(sample['gt_label']).view(-1)[0])])
                score = sample['pred_score'].detach().cpu().numpy()[None]
            self.results.append(confidence_and_hits(label, score, self.multi_label))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """``error``, ``confidence`` and ``accuracy`` in percent."""
        confidence, right = (np.concatenate(part) for part in zip(*results, strict=True))
        # Probabilities of single precision may add up to a hair more than 1.
        table = reliability(np.clip(confidence, 0, 1), right, self.bins)
        return {
            'error': 100 * table.error,
            'confidence': 100 * float(confidence.mean()),
            'accuracy': 100 * float(right.mean()),
        }


@METRICS.register_module()
class BalancedAccuracy(BaseMetric):
    """Mean recall of the classes in percent.

    Args:
        collect_device: Device on which results of several processes meet.
        prefix: Prefix of the metric's names.
    """

    default_prefix = 'accuracy'

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep true and predicted class of each sample."""
        for sample in data_samples:
            truth = int(torch.as_tensor(sample['gt_label']).view(-1)[0])
            self.results.append((truth, int(sample['pred_score'].argmax())))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """``balanced``."""
        truth, predicted = (np.array(part) for part in zip(*results, strict=True))
        return {'balanced': 100 * balanced_accuracy(truth, predicted)}
