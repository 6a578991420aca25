"""The loss of SimCLR."""

from __future__ import annotations

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.distributed.nn.functional import all_gather


def nt_xent(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """Normalised temperature-scaled cross-entropy between two views of a batch.

    Row ``i`` of each view must pick row ``i`` of the other among all other rows of both (Chen et
    al., "A simple framework for contrastive learning of visual representations", ICML 2020, eq. 1).
    With several processes the candidates are those of the global batch and gradients flow to all of
    them, so the mean over processes equals the loss of one process with the global batch.

    Args:
        a: Embeddings of the first view ``(N, D)``; normalised inside.
        b: Embeddings of the second view ``(N, D)``.
        temperature: Divisor of the cosine similarities.

    Returns:
        Loss per row, ``(2 N,)``: first those of ``a``, then those of ``b``.
    """
    rows = torch.stack([F.normalize(a, dim=1), F.normalize(b, dim=1)])  # (2, N, D)
    rank, candidates = 0, rows
    if dist.is_initialized() and dist.get_world_size() > 1:
        rank = dist.get_rank()
        candidates = torch.cat(all_gather(rows.contiguous()), dim=1)
    count, total = rows.shape[1], candidates.shape[1]
    logits = rows.flatten(0, 1) @ candidates.flatten(0, 1).T / temperature
    own = rank * count + torch.arange(count, device=a.device)
    itself = torch.cat([own, own + total])
    partner = torch.cat([own + total, own])
    logits = logits.scatter(1, itself[:, None], -torch.inf)
    return F.cross_entropy(logits, partner, reduction='none')
