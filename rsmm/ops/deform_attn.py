"""Multi-scale deformable attention in plain PyTorch (Zhu et al., Deformable DETR, ICLR 2021)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def multi_scale_deformable_attention(
    value: Tensor, spatial_shapes: Tensor, sampling_locations: Tensor, attention_weights: Tensor
) -> Tensor:
    """Sample every level bilinearly at the given places and add up by weight (equation 2).

    Levels are reduced one by one, so the samples of one level are in memory at a time rather than
    those of all levels twice.

    Args:
        value: Flattened feature maps of all levels ``(N, S, heads, D)``, ``S`` the sum of H x W.
        spatial_shapes: (H, W) per level, ``(levels, 2)`` int64.
        sampling_locations: ``(N, Q, heads, levels, points, 2)``, x and y as shares of the level;
            places outside [0, 1] sample zeros.
        attention_weights: ``(N, Q, heads, levels, points)``.

    Returns:
        ``(N, Q, heads * D)`` in the dtype of ``value``.
    """
    batch, _, heads, dim = value.shape
    queries = sampling_locations.shape[1]
    shapes = [(int(height), int(width)) for height, width in spatial_shapes]
    maps = value.permute(0, 2, 3, 1).split([height * width for height, width in shapes], dim=-1)
    # One grid and one row of weights per image and head: (N * heads, Q, points).
    grids = (2 * sampling_locations - 1).to(value.dtype).transpose(1, 2).flatten(0, 1)
    weights = attention_weights.to(value.dtype).transpose(1, 2).flatten(0, 1)
    output = value.new_zeros(batch * heads, dim, queries)
    for level, (height, width) in enumerate(shapes):
        sampled = F.grid_sample(
            maps[level].reshape(batch * heads, dim, height, width),
            grids[:, :, level],
            mode='bilinear',
            padding_mode='zeros',
            align_corners=False,
        )
        output = output + torch.einsum('ndqp,nqp->ndq', sampled, weights[:, :, level])
    return output.view(batch, heads * dim, queries).transpose(1, 2).contiguous()
