"""The vector of a pair of images: features of both dates where something changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from rsmm.models.losses.functional import masked_pool


def pair_vectors(backbone: Callable, dates: Sequence[Tensor], weights: Tensor) -> Tensor:
    """Average the last map of a backbone with the weights of places, before and after.

    ``u = [phi(before, M); phi(after, M)]`` (Mall et al., NeurIPS 2022), without a projector.

    Args:
        backbone: Returns a map or a sequence of them.
        dates: Images ``(N, C, H, W)`` before and after; one only for pairs with themselves.
        weights: ``(N, h, w)``, averaged to the cells of the map.

    Returns:
        ``(N, 2 D)`` float32.
    """
    halves = []
    for images in dates:
        found = backbone(images)
        last = (found if isinstance(found, Tensor) else found[-1]).float()
        height, width = last.shape[2:]
        cells = F.adaptive_avg_pool2d(weights[:, None].to(last), (height, width))[:, 0]
        halves.append(masked_pool(last, cells))
    return torch.cat([halves[0], halves[-1]], dim=1)


def sample_weights(samples: Sequence, device) -> Tensor:
    """Stack ``event_weights`` of data samples, float32."""
    rows = [torch.as_tensor(sample.event_weights) for sample in samples]
    return torch.stack(rows).to(device, torch.float32)
