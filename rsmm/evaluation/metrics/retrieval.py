"""Precision and recall of image retrieval as an evaluator."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.evaluator import BaseMetric

from rsmm.evaluation.functional.probes import retrieval_at_k
from rsmm.registry import METRICS


@METRICS.register_module()
class RetrievalPR(BaseMetric):
    """P@k and R@k in percent of images of the query's class among its nearest neighbours.

    Args:
        topk: Values of ``k``.
        queries: Queries drawn.
        seed: Seed of the draw.
        collect_device: Device on which results of several processes meet.
        prefix: Prefix of the metric's names.
    """

    default_prefix = 'retrieval'

    def __init__(
        self,
        topk: Sequence[int] = (20, 100),
        queries: int = 50,
        seed: int = 42,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.topk = tuple(topk)
        self.queries = queries
        self.seed = seed

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep ``feature`` ``(D,)`` and ``gt_label`` of each sample."""
        for sample in data_samples:
            feature = sample['feature'].detach().float().cpu().flatten()
            self.results.append((feature, int(torch.as_tensor(sample['gt_label']).view(-1)[0])))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """P@k and R@k in percent."""
        features = torch.stack([feature for feature, _ in results])
        labels = torch.tensor([label for _, label in results])
        metrics = {}
        for k in self.topk:
            precision, recall = retrieval_at_k(features, labels, k, self.queries, self.seed)
            metrics[f'P@{k}'], metrics[f'R@{k}'] = 100 * precision, 100 * recall
        return metrics
