"""Judging frozen features: linear probe, retrieval, alignment and uniformity."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rsmm.errors import ConfigError


def linear_probe_accuracy(
    features: Tensor, labels: Tensor, test_features: Tensor, test_labels: Tensor
) -> float:
    """Accuracy of a logistic regression on standardised frozen features.

    Args:
        features: Training features ``(N, D)``.
        labels: Classes ``(N,)``.
        test_features: Test features ``(M, D)``.
        test_labels: Classes ``(M,)``.

    Returns:
        Share of correct predictions, 0..1.
    """
    from sklearn.linear_model import LogisticRegression

    train, test = features.double().cpu().numpy(), test_features.double().cpu().numpy()
    mean, std = train.mean(axis=0), train.std(axis=0) + 1e-6
    model = LogisticRegression(max_iter=1000, C=0.1)
    model.fit((train - mean) / std, labels.cpu().numpy())
    return float(model.score((test - mean) / std, test_labels.cpu().numpy()))


def retrieval_at_k(
    features: Tensor, labels: Tensor, k: int, queries: int = 50, seed: int = 42
) -> tuple[float, float]:
    """Precision and recall at ``k`` of images of the query's class among its neighbours.

    CACo's retrieval on EuroSAT: cosine similarity, random queries, the query itself left out.

    Args:
        features: ``(N, D)``, normalised inside.
        labels: Classes ``(N,)``.
        k: Neighbours looked at.
        queries: Queries drawn without replacement.
        seed: Seed of the draw.

    Returns:
        ``(P@k, R@k)``, means over the queries, 0..1. Queries without another image of their class
        do not count.

    Raises:
        ConfigError: There are not more than ``k`` images.
    """
    count = len(features)
    if not 1 <= k < count:
        raise ConfigError(f'k must lie in 1..{count - 1} ({count} images), got {k}')
    drawn = np.random.default_rng(seed).permutation(count)[:queries]
    chosen = torch.from_numpy(drawn).to(features.device)
    unit = F.normalize(features.float(), dim=1)
    similarity = unit[chosen] @ unit.T
    similarity.scatter_(1, chosen[:, None], -torch.inf)
    nearest = similarity.topk(k).indices
    hits = (labels[nearest] == labels[chosen][:, None]).sum(dim=1).double()
    relevant = (labels[None] == labels[chosen][:, None]).sum(dim=1) - 1
    valid = relevant > 0
    if not valid.any():
        raise ConfigError('no query shares its class with another image')
    precision, recall = hits[valid] / k, hits[valid] / relevant[valid]
    return float(precision.mean()), float(recall.mean())
