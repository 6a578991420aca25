"""Two classes with baselines, intervals and groups as an evaluator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric

from rsmm.evaluation.functional.binary import binary_report
from rsmm.registry import METRICS


@METRICS.register_module()
class BinaryReport(BaseMetric):
    """Accuracy, macro F1 and AUROC beside a constant's, with bootstrap intervals and per group.

    Reads ``gt_label``, ``pred_score`` and the group of mmpretrain's data samples. Samples are
    sorted by image, so the draws are the same on any number of processes.

    Args:
        group: Meta key of the group, e.g. ``'city'``; None for no breakdown.
        resamples: As in :func:`rsmm.evaluation.functional.binary_report`.
        by_group: As there.
        seed: As there.
        collect_device: Device on which results of several processes meet.
        prefix: Prefix of the metric's names.
    """

    default_prefix = 'binary'

    def __init__(
        self,
        group: str | None = None,
        resamples: int = 1000,
        by_group: bool = False,
        seed: int = 0,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.group = group
        self.settings: dict[str, Any] = dict(resamples=resamples, by_group=by_group, seed=seed)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep image, class, score of class 1 and group of each sample."""
        for sample in data_samples:
            label = int(torch.as_tensor(sample['gt_label']).view(-1)[0])
            score = float(sample['pred_score'][1])
            group = None if self.group is None else str(sample[self.group])
            self.results.append((str(sample.get('img_path', '')), label, score, group))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """All values of the report."""
        _, truth, scores, groups = zip(*sorted(results, key=lambda row: row[0]), strict=True)
        return binary_report(
            np.array(truth),
            np.array(scores),
            None if self.group is None else groups,
            **self.settings,
        )
