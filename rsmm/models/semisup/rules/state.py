"""What rules remember from step to step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rsmm.errors import ConfigError


class RunningMean(nn.Module):
    """Running mean of distributions; the first one is taken as it is.

    Model state: ``mean`` ``(C,)`` and ``filled``.

    Args:
        size: Classes C.
        momentum: Weight of the old mean.
    """

    mean: Tensor
    filled: Tensor

    def __init__(self, size: int, momentum: float = 0.999) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer('mean', torch.full((size,), 1 / size))
        self.register_buffer('filled', torch.zeros((), dtype=torch.bool))

    @torch.no_grad()
    def update(self, probs: Tensor) -> Tensor:
        """Take a batch ``(N, C)`` in and return the new mean ``(C,)``."""
        now = probs.mean(dim=0).to(self.mean)
        old = torch.where(self.filled, self.mean, now)
        self.mean.copy_(self.momentum * old + (1 - self.momentum) * now)
        self.filled.fill_(True)
        return self.mean.clone()


class Ring(nn.Module):
    """The last rows that came in, oldest overwritten first.

    Model state: ``rows`` ``(K, D)``, ``pointer`` and ``count``.

    Args:
        length: Rows K.
        width: Values of a row D.
    """

    rows: Tensor
    pointer: Tensor
    count: Tensor

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        if length < 1:
            raise ConfigError(f'a queue of {length} rows', where='queue length')
        self.register_buffer('rows', torch.zeros(length, width))
        self.register_buffer('pointer', torch.zeros((), dtype=torch.long))
        self.register_buffer('count', torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def push(self, rows: Tensor) -> None:
        """Let rows ``(N, D)`` in; of more than fit, the last ones stay."""
        length = len(self.rows)
        kept = rows[-length:].to(self.rows)
        start = int(self.pointer) + len(rows) - len(kept)
        places = torch.arange(start, start + len(kept), device=kept.device) % length
        self.rows[places] = kept
        self.pointer.fill_((start + len(kept)) % length)
        self.count.copy_((self.count + len(rows)).clamp(max=length))

    def content(self) -> Tensor:
        """The rows that are filled, oldest or newest first as they lie, ``(n, D)``."""
        return self.rows[: int(self.count)]
