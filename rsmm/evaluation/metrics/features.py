"""Clusters of features and retrieval of events as evaluators of ``FeatureTestLoop``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.evaluator import BaseMetric

from rsmm.errors import ConfigError
from rsmm.evaluation.functional.clustering import purity_table
from rsmm.evaluation.functional.event_retrieval import (
    event_means,
    probe_events,
    retrieval_scores,
)
from rsmm.registry import METRICS


class FeatureMetric(BaseMetric):
    """Collects ``feature`` (D,), ``gt_label`` and, where there is one, ``event`` of each sample."""

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep what is needed of a batch."""
        for sample in data_samples:
            feature = sample['feature'].detach().float().cpu().flatten().numpy()
            label = int(torch.as_tensor(sample['gt_label']).view(-1)[0])
            # A sample without an event is one of its own.
            event = sample.get('event', f'sample {sample.get("sample_idx")}')
            self.results.append((feature, label, event))


@METRICS.register_module()
class ClusterPurity(FeatureMetric):
    """Purity, NMI and ARI of k-means clusters in percent, means and deviations over seeds.

    See :func:`rsmm.evaluation.functional.kmeans_scores`.

    Args:
        k: Numbers of clusters.
        seeds: Seeds of k-means: so many from 42 on.
        collect_device: Device on which results of several processes meet.
        prefix: Prefix of the metric's names.
    """

    default_prefix = 'clusters'

    def __init__(
        self,
        k: Sequence[int] = (10, 20, 40, 80),
        seeds: int = 5,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if seeds < 1 or not k or min(k) < 1:
            raise ConfigError(f'k={k}, seeds={seeds}: expected positive numbers')
        self.k, self.seeds = tuple(k), seeds

    def compute_metrics(self, results: list) -> dict[str, float]:
        """``purity@k``, ``purity_std@k`` and so on."""
        features, labels, _ = _columns(results)
        rows = purity_table(features, labels, self.k, range(42, 42 + self.seeds))
        return {
            f'{name}@{row["k"]}': 100 * value
            for row in rows
            for name, value in row.items()
            if name != 'k'
        }


@METRICS.register_module()
class EventRetrieval(FeatureMetric):
    """P@k, mAP and R-precision of events in percent, and average precision of probes.

    Vectors of an event are averaged before it queries the others; kNN and linear probe learn from
    pairs of other events than they are tested on.

    Args:
        topk: Depths of P@k.
        positive: Name of the label whose events query; None: all events, each for its own label,
            and no probes.
        seeds: Splits of the probes.
        collect_device: Device on which results of several processes meet.
        prefix: Prefix of the metric's names.
    """

    default_prefix = 'events'

    def __init__(
        self,
        topk: Sequence[int] = (25,),
        positive: str | None = None,
        seeds: int = 5,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.topk, self.positive, self.seeds = tuple(topk), positive, seeds

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Scores in percent; ``queries`` is a number of events."""
        features, labels, events = _columns(results)
        label = self._positive()
        means, means_labels, _ = event_means(features, events, labels)
        scores = retrieval_scores(means, means_labels, self.topk, label)
        if label is not None:
            found = probe_events(features, events, labels, label, seeds=range(self.seeds))
            scores |= {name: value for name, value in found.items() if name != 'chance'}
        return {name: value if name == 'queries' else 100 * value for name, value in scores.items()}

    def _positive(self) -> int | None:
        if self.positive is None:
            return None
        classes = list((self.dataset_meta or {}).get('classes', ()))
        if self.positive not in classes:
            raise ConfigError(f'positive={self.positive!r} is not one of {", ".join(classes)}')
        return classes.index(self.positive)


def _columns(results: list) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    features, labels, events = zip(*results, strict=True)
    return np.stack(features), np.array(labels), np.array(events)
