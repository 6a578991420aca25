"""Encoders of dense models: padded input, frozen weights."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


def pad_to_multiple(images: torch.Tensor, multiple: int) -> torch.Tensor:
    """Repeat the lower and right border until both sides are multiples."""
    height, width = images.shape[-2:]
    pad = (0, -width % multiple, 0, -height % multiple)
    return F.pad(images, pad, mode='replicate') if any(pad) else images


def freeze(module: nn.Module) -> None:
    """Stop gradients and keep batch statistics as they are."""
    module.eval()
    module.requires_grad_(False)
