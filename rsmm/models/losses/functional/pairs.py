"""Contrast of two views: of vectors (SimCLR) and of maps, place by place (SSNet)."""

from __future__ import annotations

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.distributed.nn.functional import all_gather

from rsmm.errors import ConfigError


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

    Raises:
        ConfigError: Shapes that differ or are not ``(N, D)``, or a temperature not above 0.
    """
    _check(a, b, temperature, 2, 'nt_xent')
    rows = torch.stack([F.normalize(a, dim=1), F.normalize(b, dim=1)])  # (2, N, D)
    rank, candidates = _gathered(rows)
    logits = rows.flatten(0, 1) @ candidates.flatten(0, 1).T / temperature
    itself, partner = _places(rank, rows.shape[1], candidates.shape[1], a.device)
    logits = logits.scatter(1, itself[:, None], -torch.inf)
    return F.cross_entropy(logits, partner, reduction='none')


def dense_nt_xent(a: Tensor, b: Tensor, temperature: float = 0.07) -> Tensor:
    """:func:`nt_xent` of aligned feature maps at each position by itself, averaged.

    The positive of a map is the same map in the other view; negatives are all other maps of both
    views *at the same position*. Source: the dense features of Mall et al., "Change Event Dataset
    for Discovery from Spatio-temporal Remote Sensing Imagery" (NeurIPS 2022).

    Args:
        a: Maps of the first view ``(N, C, H, W)``; normalised over channels inside.
        b: Maps of the second view, aligned with ``a``.
        temperature: Divisor of the cosine similarities.

    Returns:
        Mean over positions and rows, a scalar.

    Raises:
        ConfigError: Shapes that differ or are not ``(N, C, H, W)``, or a temperature not above 0.
    """
    _check(a, b, temperature, 4, 'dense_nt_xent')
    rows = torch.stack([F.normalize(a, dim=1), F.normalize(b, dim=1)])  # (2, N, C, H, W)
    rank, candidates = _gathered(rows)
    count, total = rows.shape[1], candidates.shape[1]
    own = rows.flatten(3).permute(3, 0, 1, 2).flatten(1, 2)  # (P, 2 N, C)
    other = candidates.flatten(3).permute(3, 0, 1, 2).flatten(1, 2)
    logits = own @ other.transpose(1, 2) / temperature
    itself, partner = _places(rank, count, total, a.device)
    logits = logits.scatter(2, itself[None, :, None].expand(len(logits), -1, 1), -torch.inf)
    return F.cross_entropy(logits.flatten(0, 1), partner.repeat(len(logits)))


def _check(a: Tensor, b: Tensor, temperature: float, dims: int, where: str) -> None:
    if a.shape != b.shape or a.dim() != dims or not len(a):
        shape = '(N, D)' if dims == 2 else '(N, C, H, W)'
        raise ConfigError(
            f'views of shapes {tuple(a.shape)} and {tuple(b.shape)}: expected two of {shape}',
            where=where,
        )
    check_temperature(temperature, where)


def check_temperature(temperature: float, where: str) -> None:
    """Refuse a divisor of similarities that is not above 0.

    Raises:
        ConfigError: Names the value.
    """
    if not temperature > 0:
        raise ConfigError(
            f'temperature={temperature}: expected a number above 0', where=where, fix='Usual: 0.07'
        )


def _gathered(rows: Tensor) -> tuple[int, Tensor]:
    """Rank of this process, and the rows (2, N, ...) of all processes, with gradient."""
    if dist.is_initialized() and dist.get_world_size() > 1:
        parts = all_gather(rows.contiguous())
        for part in parts:
            # torch receives gradients in buffers of the same strides but sends them contiguous:
            # those of a permuted map would arrive in the wrong places.
            if part.requires_grad:
                part.register_hook(Tensor.contiguous)
        return dist.get_rank(), torch.cat(parts, dim=1)
    return 0, rows


def _places(rank: int, count: int, total: int, device) -> tuple[Tensor, Tensor]:
    """Columns of each row itself and of its positive among ``2 * total`` candidates."""
    own = rank * count + torch.arange(count, device=device)
    return torch.cat([own, own + total]), torch.cat([own + total, own])
