"""The frozen network whose description of a patch DETReg's queries learn to predict."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from torch import Tensor, nn

from rsmm.checkpoints.pretrained import Pretrained
from rsmm.errors import ConfigError
from rsmm.registry import MODELS

TARGETS = ('intermediate', 'head')


@MODELS.register_module()
class PatchTeacher(nn.Module):
    """Embed image patches with a frozen backbone.

    Args:
        backbone: Config of a backbone that returns feature maps. ``'intermediate'`` takes the
            spatial mean of the first map that it returns (for a ResNet-50 with ``out_indices=(1,)``
            the 512 channels of stage 2), ``'head'`` passes the last map through ``neck``.
        target: ``'intermediate'`` or ``'head'``.
        neck: Config of the projector of the pretraining, e.g. ``mmpretrain.SwAVNeck``; its output
            is normalised to unit length.
        checkpoint: Pretraining checkpoint with ``backbone.`` and, for ``'head'``, ``neck.`` keys.
            Every weight must be found in it. None keeps random weights, with a warning.
        mean: Per band, in stored units.
        std: Per band, in stored units.
        batch_size: Patches embedded at a time.

    Raises:
        ConfigError: Settings that contradict each other.
        CheckpointError: The file does not hold these weights.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: dict,
        target: str = 'intermediate',
        neck: dict | None = None,
        checkpoint: str | None = None,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        batch_size: int = 64,
    ) -> None:
        super().__init__()
        if target not in TARGETS or (target == 'head') != (neck is not None):
            raise ConfigError(
                f'target={target!r} with neck={"set" if neck else None}: expected '
                "'intermediate' without a neck, or 'head' with the projector as neck",
                where='teacher',
            )
        self.target = target
        self.batch_size = batch_size
        self.backbone = MODELS.build(backbone)
        self.neck = None if neck is None else MODELS.build(neck)
        if checkpoint is None:
            print_log(
                'The teacher has random weights, so its embeddings mean little: set '
                'teacher_checkpoint=FILE',
                logger='current',
                level=logging.WARNING,
            )
        else:
            Pretrained(checkpoint, prefix='backbone.')(self.backbone)
            if self.neck is not None:
                Pretrained(checkpoint, prefix='neck.')(self.neck)
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(-1, 1, 1), persistent=False)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> PatchTeacher:
        """Stay in evaluation mode: batch statistics must not drift."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, patches: Tensor) -> Tensor:
        """Embed patches ``(N, C, H, W)`` of any dtype in stored units: ``(N, E)`` float32."""
        parts = [self._embed(part) for part in patches.split(self.batch_size)]
        return torch.cat(parts)

    def _embed(self, patches: Tensor) -> Tensor:
        maps = self.backbone((patches.float() - self.mean) / self.std)
        if self.neck is None:
            return maps[0].float().mean(dim=(2, 3))
        return F.normalize(self.neck([maps[-1:]]).float(), dim=1)
