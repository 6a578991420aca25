"""Contrastive losses of MoCo, SeCo, TeCo, CACo and SACo.

All take raw embeddings and normalise them inside (``z / ||z||``); 16-bit input is raised to 32 bit,
64-bit input stays 64-bit. Symbols: ``N`` rows, ``D`` embedding size, ``K`` queue length, ``E``
embedding sub-spaces, ``V`` key views, ``M`` key rows (``M = N`` on one process).

Sources: He et al., MoCo (CVPR 2020); Manas et al., Seasonal Contrast (ICCV 2021); Mall et al.,
Change-Aware Sampling and Contrastive Learning (CVPR 2023); Stival et al., SACo+ (ISPRS J. 2025).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from rsmm.errors import ConfigError

#: Added to the similarity of a masked negative; exp(-1e8 / t) is 0 in any float format.
MASKED = -1e8
GROUP_MODES = ('pull', 'cosine', 'reference')


def _unit(z: Tensor) -> Tensor:
    if z.dtype in (torch.float16, torch.bfloat16):
        z = z.float()
    return F.normalize(z, dim=-1)


def _nce(positive: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """Return ``-log softmax`` of the positive: ``(N,)`` and ``(N, M)`` similarities to ``(N,)``."""
    if not temperature > 0:
        raise ConfigError(f'temperature must be positive, found {temperature}')
    logits = torch.cat([positive[:, None], negatives], dim=1) / temperature
    return torch.logsumexp(logits, dim=1) - logits[:, 0]


def _similarities(a: Tensor, b: Tensor) -> Tensor:
    """Inner products of all pairs, ``(N, M)``, in the dtype of the input even under autocast."""
    with torch.autocast(a.device.type, enabled=False):
        return a @ b.T


def _paired(a: Tensor, b: Tensor) -> Tensor:
    """Inner products of matching rows, ``(N,)``; never a broadcast of one row over many."""
    _check_rows(a.shape, b.shape)
    return (a * b).sum(dim=-1)


def _check_rows(expected: Sequence[int], found: Sequence[int]) -> None:
    if tuple(expected) != tuple(found):
        raise ConfigError(f'rows must match one to one: expected {tuple(expected)}, found {found}')


def info_nce(q: Tensor, k: Tensor, queue: Tensor, temperature: float) -> Tensor:
    """InfoNCE of each query with one positive key and the queue as negatives.

    Args:
        q: Queries ``(N, D)``.
        k: Positive keys ``(N, D)``, row for row.
        queue: Negative keys ``(K, D)``.
        temperature: Divisor of the similarities.

    Returns:
        Loss per row ``(N,)``, at least 0.

    Raises:
        ConfigError: Rows of queries and keys do not match, or the temperature is not positive.
    """
    q, k, queue = _unit(q), _unit(k), _unit(queue)
    return _nce(_paired(q, k), _similarities(q, queue), temperature)


def seco_loss(
    q: Sequence[Tensor],
    keys: Sequence[Sequence[Tensor]],
    queues: Sequence[Tensor] | Tensor,
    temperature: float,
    *,
    row_offset: int = 0,
) -> dict[str, Tensor]:
    """Seasonal Contrast: one InfoNCE per embedding sub-space, summed.

    In sub-space ``i`` view ``i`` is the positive. Negatives are queue ``i`` and, for ``i > 0``, the
    embeddings of all other views of the batch. With one sub-space this is :func:`info_nce`.

    Args:
        q: ``E`` query embeddings ``(N, D)``.
        keys: ``keys[i][j]`` is view ``j`` through head ``i``, ``(M, D)``. Sub-space 0 uses view 0
            only; the others may be ``None`` there.
        queues: ``E`` queues ``(K, D)``.
        temperature: Divisor of the similarities.
        row_offset: Row of the keys that belongs to the first query; rows before and after come from
            other processes.

    Returns:
        ``loss`` (scalar, sum over sub-spaces) and ``per_space`` ``(E,)`` (means over rows).
    """
    per_space = []
    for i, (query, views, queue) in enumerate(zip(q, keys, queues, strict=True)):
        query, positive = _unit(query), _own(_unit(views[i]), len(query), row_offset)
        negatives = torch.cat([_unit(queue), *_other_views(views, i)])
        against = _similarities(query, negatives)
        per_space.append(_nce(_paired(query, positive), against, temperature).mean())
    stacked = torch.stack(per_space)
    return {'loss': stacked.sum(), 'per_space': stacked}


def caco_loss(
    q: Sequence[Tensor],
    keys: Sequence[Sequence[Tensor]],
    queues: Sequence[Tensor] | Tensor,
    flags: Tensor,
    temperature: float,
    *,
    row_offset: int = 0,
) -> dict[str, Tensor]:
    """Change-aware contrast on rows that alternate old (even) and new (odd) images of a place.

    As :func:`seco_loss`, except that rows of parity ``h`` see the queue entries ``h::2`` only, and
    that the positive-view keys of the opposite parity are negatives too. The key of the row's own
    partner (same place, other period) counts as a negative only where the flag says "changed".
    With all flags 1 this is TeCo.

    Args:
        q: ``E`` query embeddings ``(N, D)``, ``N`` even.
        keys: ``keys[i][j]`` is view ``j`` through head ``i``, ``(M, D)``.
        queues: ``E`` queues ``(K, D)``, ``K`` even.
        flags: ``(N,)``; 1 where the place changed, anything else where it did not.
        temperature: Divisor of the similarities.
        row_offset: Row of the keys that belongs to the first query (even).

    Returns:
        ``loss`` (scalar, sum over sub-spaces) and ``per_space`` ``(E,)`` (means over rows).

    Raises:
        ConfigError: Rows do not pair up, or there is not one flag per row.
    """
    _check_paired(q[0], keys[0][0], queues[0], row_offset)
    changed = torch.as_tensor(flags, device=q[0].device) == 1
    _check_rows(q[0].shape[:1], changed.shape)
    per_space = []
    for i, (query, views, queue) in enumerate(zip(q, keys, queues, strict=True)):
        query, queue = _unit(query), _unit(queue)
        own_view, others = _unit(views[i]), _other_views(views, i)
        positive = _own(own_view, len(query), row_offset)
        halves = []
        for parity in (0, 1):
            rows = query[parity::2]
            partners = _similarities(rows, own_view[1 - parity :: 2])
            partners = partners + _partner_mask(changed[parity::2], partners, row_offset // 2)
            shared = torch.cat([queue[parity::2], *others])
            negatives = torch.cat([_similarities(rows, shared), partners], dim=1)
            halves.append(_nce(_paired(rows, positive[parity::2]), negatives, temperature))
        per_space.append(torch.cat(halves).mean())
    stacked = torch.stack(per_space)
    return {'loss': stacked.sum(), 'per_space': stacked}


def _own(keys: Tensor, rows: int, offset: int) -> Tensor:
    return keys[offset : offset + rows]


def _other_views(views: Sequence[Tensor], space: int) -> list[Tensor]:
    """Unit embeddings of the views that are negatives in a sub-space; none in sub-space 0."""
    if space == 0:
        return []
    return [_unit(view) for j, view in enumerate(views) if j != space]


def _partner_mask(changed: Tensor, partners: Tensor, offset: int) -> Tensor:
    """``(N/2, M/2)`` zeros with :data:`MASKED` at the own partner of unchanged rows."""
    rows = torch.arange(len(partners), device=partners.device)
    mask = torch.zeros_like(partners)
    mask[rows, rows + offset] = torch.where(changed, 0.0, MASKED).to(mask.dtype)
    return mask


def _check_paired(q: Tensor, keys: Tensor, queue: Tensor, row_offset: int) -> None:
    counts = {'rows': len(q), 'key rows': len(keys), 'queue entries': len(queue)}
    odd = [f'{count} {name}' for name, count in counts.items() if count % 2]
    if odd or row_offset % 2:
        raise ConfigError(
            f'old and new images of a place must pair up, found {", ".join(odd) or "a split pair"}',
            fix='Use PairedPlaceSampler with an even batch size, drop_last=True, an even queue_len',
        )


def change_ratio(anchor: Tensor, short: Tensor, long: Tensor) -> Tensor:
    """Long-term over short-term distance, ``||a - l|| / (||a - s|| + 1e-4)`` (CACo).

    Args:
        anchor: Embedding of an image ``(N, D)``.
        short: Same place, months away ``(N, D)``.
        long: Same place, years away ``(N, D)``.

    Returns:
        ``(N,)``; large where the place changed more over years than over seasons.
    """
    long_term, short_term = change_distances(anchor, short, long)
    return long_term / (short_term + 1e-4)


def change_distances(anchor: Tensor, short: Tensor, long: Tensor) -> tuple[Tensor, Tensor]:
    """Long-term and short-term distance whose ratio is :func:`change_ratio`.

    Args:
        anchor: As for :func:`change_ratio`, as are the others.
        short: Same place, months away.
        long: Same place, years away.

    Returns:
        ``||a - l||`` and ``||a - s||``, both ``(N,)``.
    """
    anchor = _unit(anchor)
    long_term = torch.linalg.vector_norm(anchor - _unit(long), dim=-1)
    short_term = torch.linalg.vector_norm(anchor - _unit(short), dim=-1)
    return long_term, short_term


def saco_group_term(groups: Tensor, q: Tensor, mode: str = 'pull') -> Tensor:
    """Gather the band-group embeddings of an image round its embedding (SACo).

    Args:
        groups: Embedding per band group ``(G, N, D)``.
        q: Image embedding ``(N, D)``, the mean of its groups.
        mode: ``'pull'`` is the mean of ``||g - q||^2`` and ``'cosine'`` of ``1 - g.q`` with both
            normalised (half of it); ``'reference'`` is the released ``(1 - ||g - q||)^2`` with
            ``g`` as it is, least at distance 1.

    Returns:
        Scalar mean over groups and rows.

    Raises:
        ConfigError: Unknown mode, or rows of groups and images do not match.
    """
    _check_rows(groups.shape[1:], q.shape)
    q = _unit(q)
    if mode == 'pull':
        return (_unit(groups) - q).square().sum(dim=-1).mean()
    if mode == 'cosine':
        return (1 - (_unit(groups) * q).sum(dim=-1)).mean()
    if mode == 'reference':
        groups = groups.to(q.dtype)
        return (1 - F.pairwise_distance(groups, q.expand_as(groups), eps=1e-6)).square().mean()
    raise ConfigError(f'unknown group loss {mode!r}; known are {", ".join(GROUP_MODES)}')


def saco_loss(
    groups: Tensor,
    keys: Sequence[Tensor],
    queue: Tensor,
    temperature: float,
    *,
    mode: str = 'pull',
    group_weight: float = 1.0,
) -> dict[str, Tensor]:
    """Sum of one InfoNCE per positive view and the weighted group term (SACo, SA+MoCo).

    Args:
        groups: Query embedding per band group ``(G, N, D)``; their mean is the query.
        keys: Positive keys, each ``(N, D)``: augmented and other date (SACo), or one (SA+MoCo).
        queue: Negative keys ``(K, D)``.
        temperature: Divisor of the similarities.
        mode: See :func:`saco_group_term`.
        group_weight: Factor of the group term.

    Returns:
        ``loss`` (scalar), ``per_view`` ``(V,)`` and ``group`` (scalar, before its weight).
    """
    q = groups.mean(dim=0)
    per_view = torch.stack([info_nce(q, key, queue, temperature).mean() for key in keys])
    group = saco_group_term(groups, q, mode)
    return {'loss': per_view.sum() + group_weight * group, 'per_view': per_view, 'group': group}
