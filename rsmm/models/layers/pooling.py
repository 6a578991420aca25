"""From feature maps or tokens to one vector an image."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from rsmm.errors import ConfigError


def pool(features: Sequence[Tensor] | Tensor) -> Tensor:
    """Average the last output of a backbone over its places.

    Args:
        features: A feature map ``(N, C, H, W)``, tokens ``(N, L, C)`` or vectors ``(N, C)``, or a
            sequence of which the last counts. A class token among the tokens counts as one.

    Returns:
        ``(N, C)``.

    Raises:
        ConfigError: The features are of another form.
    """
    last = features if isinstance(features, Tensor) else features[-1]
    if last.ndim == 4:
        return last.mean(dim=(2, 3))
    if last.ndim == 3:
        return last.mean(dim=1)
    if last.ndim != 2:
        raise ConfigError(
            f'features of shape {tuple(last.shape)} cannot be pooled',
            fix='Use a backbone with maps (N, C, H, W), tokens (N, L, C) or vectors (N, C)',
        )
    return last
