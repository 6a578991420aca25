"""What a masked autoencoder draws in place of the patches it did not see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Reconstruction:
    """A batch before and after.

    Attributes:
        images: Images with the masked patches redrawn, visible ones as they were,
            ``(N, C, H, W)`` in the units of the input.
        mask: True where a patch was masked, ``(N, H, W)`` bool.
        error: Mean squared error per image over its masked pixels, ``(N,)``.
    """

    images: Tensor
    mask: Tensor
    error: Tensor


@torch.no_grad()
def reconstruct(model: Any, inputs: Tensor) -> Reconstruction:
    """Mask, encode and redraw images; which patches are masked is drawn from torch's generator.

    With normalised targets (``norm_pix``) a patch is drawn with the mean and deviation of the
    hidden patch, which the model does not predict.

    Args:
        model: ``mmpretrain.MAE`` in evaluation mode.
        inputs: Normalised images ``(N, C, H, W)`` of the model's size.
    """
    latent, mask, restore = model.backbone(inputs)
    predicted = model.neck(latent, restore)
    patches = model.head.patchify(inputs)
    if model.head.norm_pix:
        deviation = (patches.var(dim=-1, keepdim=True) + 1e-6).sqrt()
        predicted = predicted * deviation + patches.mean(dim=-1, keepdim=True)
    hidden = mask[..., None].bool()
    error = ((predicted - patches) ** 2 * hidden).mean(dim=-1).sum(dim=1) / mask.sum(dim=1)
    images = model.head.unpatchify(torch.where(hidden, predicted, patches))
    where = model.head.unpatchify(hidden.expand_as(patches).float())[:, 0] > 0.5
    return Reconstruction(images, where, error)
