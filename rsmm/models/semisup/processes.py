"""Rows of all processes: the one place where semi-supervised learning knows how many there are.

Samplers deal the draws of a global batch to the processes in turn, so rows come back interleaved.
Every rule then sees the global batch in the same order on any number of processes.
"""

from __future__ import annotations

import torch
from mmengine.dist import all_gather, get_dist_info
from torch import Tensor


class _CountedGradient(torch.autograd.Function):
    """Identity whose gradient is multiplied by a number."""

    @staticmethod
    def forward(ctx, x: Tensor, factor: int) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.factor, None


def join_rows(x: Tensor) -> Tensor:
    """Rows of all processes in the order of the global batch; the own ones keep their gradient.

    A loss of the joined rows is the same number everywhere. Each process knows its gradient for the
    own rows only, and the distributed wrapper averages over the processes; own rows count as often
    as there are processes, so that the average is the gradient of the global loss.

    Args:
        x: ``(N, ...)``, N the same on all processes.

    Returns:
        ``(N * processes, ...)``.
    """
    rank, world_size = get_dist_info()
    if world_size == 1:
        return x
    parts = list(all_gather(x.detach().contiguous()))
    if x.requires_grad:
        parts[rank] = _CountedGradient.apply(x, world_size)
    return torch.stack(parts, dim=1).flatten(0, 1)


def own_rows(x: Tensor) -> Tensor:
    """Rows of this process in those of all, ``(N * processes, ...)`` to ``(N, ...)``."""
    rank, world_size = get_dist_info()
    return x[rank::world_size]
