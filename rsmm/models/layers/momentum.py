"""Parameters that follow others as a running average."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


@torch.no_grad()
def momentum_update_(targets: Iterable[Tensor], sources: Iterable[Tensor], momentum: float) -> None:
    """Move each target towards its source in place: ``t <- m t + (1 - m) s``."""
    targets, sources = list(targets), list(sources)
    if not targets:  # a pooling layer has nothing to move, which the functions below refuse
        return
    torch._foreach_mul_(targets, momentum)
    torch._foreach_add_(targets, sources, alpha=1 - momentum)
