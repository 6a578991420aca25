"""Averages over the part of a map that counts."""

from __future__ import annotations

import torch
from torch import Tensor

from rsmm.errors import ConfigError


def masked_pool(features: Tensor, mask: Tensor) -> Tensor:
    """Average features weighted by a mask: ``sum_p M_p f_p / sum_p M_p``.

    Nothing is added to the mask: a mask that is 0 throughout has no average and gives NaN. Add a
    small number to it, after all geometry, where that can happen.

    Args:
        features: ``(N, C, H, W)``.
        mask: Weights ``(N, H, W)``, not negative.

    Returns:
        ``(N, C)``.

    Raises:
        ConfigError: The mask is not ``(N, H, W)`` of the features.
    """
    if features.dim() != 4 or mask.shape != (len(features), *features.shape[2:]):
        raise ConfigError(
            f'features {tuple(features.shape)} and a mask {tuple(mask.shape)}: expected '
            '(N, C, H, W) and (N, H, W)',
            where='masked_pool',
        )
    total = torch.einsum('nchw,nhw->nc', features, mask.to(features.dtype))
    return total / mask.to(features.dtype).sum(dim=(1, 2))[:, None]
