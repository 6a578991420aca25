"""From feature maps or tokens to one vector an image."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


def pool(features: Sequence[Tensor] | Tensor) -> Tensor:
    """Global average of the last feature map: a tuple of ``(N, C, H, W)`` to ``(N, C)``."""
    last = features if isinstance(features, Tensor) else features[-1]
    return last.mean(dim=(2, 3)) if last.ndim == 4 else last
