"""Weighted nearest-neighbour classification of features."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from rsmm.errors import ConfigError


def knn_scores(
    bank: Tensor,
    labels: Tensor,
    queries: Tensor,
    num_classes: int,
    k: int = 20,
    temperature: float = 0.07,
    chunk: int = 1024,
) -> Tensor:
    """Vote of the ``k`` nearest neighbours by cosine similarity.

    Each neighbour votes for its class with weight ``exp(similarity / temperature)`` (Wu et al.,
    "Unsupervised feature learning via non-parametric instance discrimination", CVPR 2018).

    Args:
        bank: Features of the labelled samples, ``(N, D)``; normalised inside.
        labels: Class of each, ``(N,)`` int64.
        queries: Features to classify, ``(M, D)``.
        num_classes: Number of classes C.
        k: Neighbours; at most N.
        temperature: Sharpness of the weights.
        chunk: Queries compared at a time; bounds the memory at ``chunk * N`` floats.

    Returns:
        Votes normalised over the classes, ``(M, C)``.

    Raises:
        ConfigError: The bank holds fewer than ``k`` samples.
    """
    if not 1 <= k <= len(bank):
        raise ConfigError(f'k must lie in 1..{len(bank)} (size of the bank), got {k}')
    bank = F.normalize(bank, dim=1)
    votes = []
    for part in queries.split(chunk):
        similarity, nearest = (F.normalize(part, dim=1) @ bank.T).topk(k)
        # Subtracting the largest keeps exp() in range and cancels in the normalisation.
        weight = ((similarity - similarity[:, :1]) / temperature).exp()
        vote = weight.new_zeros(len(part), num_classes)
        votes.append(vote.scatter_add_(1, labels[nearest], weight))
    return F.normalize(torch.cat(votes), p=1, dim=1)
