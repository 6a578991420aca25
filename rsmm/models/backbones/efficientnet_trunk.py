"""The first stages of a timm EfficientNet: a small network that can start from ImageNet."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from rsmm.errors import ConfigError
from rsmm.registry import MODELS
from rsmm.utils.seams import is_batch_norm


@MODELS.register_module()
class EfficientNetTrunk(BaseModule):
    """Stem and first stages of an EfficientNet, the first of them frozen if asked.

    The last stages of these networks hold most weights and, on small chips, look at a map of two by
    two pixels. Without them the network keeps stride 16 with a fifth of the weights.

    Frozen stages get no gradient and keep evaluation mode: they cost a forward pass only. With
    ``norm_eval`` all batch norms keep their statistics, so that an output depends on its own image
    alone, however few and whichever images share the batch.

    Model state: ``stem``, ``norm`` and ``stages`` (timm's ``blocks``).

    Args:
        model_name: timm's name of an EfficientNet or MobileNet of its builder.
        stages: Stages to keep, counted from the stem (5: stride 16).
        frozen_stages: Stages that do not learn; from 1 on the stem does not, either. 0 freezes
            nothing.
        norm_eval: Batch norms keep evaluation mode.
        init_cfg: Initialisation, e.g. ``dict(type='Pretrained', ...)``.

    Raises:
        ConfigError: No such network, or more stages than it has.
    """

    def __init__(
        self,
        model_name: str = 'tf_efficientnet_lite0',
        stages: int = 5,
        frozen_stages: int = 0,
        norm_eval: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        import timm

        network: Any = timm.create_model(model_name, pretrained=False)
        missing = [name for name in ('conv_stem', 'bn1', 'blocks') if not hasattr(network, name)]
        if missing:
            raise ConfigError(
                f'{model_name} has no {missing[0]}',
                where='EfficientNetTrunk',
                fix='Name an EfficientNet of timm',
            )
        if not 1 <= stages <= len(network.blocks) or not 0 <= frozen_stages <= stages:
            raise ConfigError(
                f'stages={stages}, frozen_stages={frozen_stages}: {model_name} has '
                f'{len(network.blocks)} stages',
                where='EfficientNetTrunk',
            )
        self.stem, self.norm = network.conv_stem, network.bn1
        self.stages = nn.ModuleList(network.blocks[:stages])
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        for part in self._frozen():
            part.requires_grad_(False)

    def _frozen(self) -> list[nn.Module]:
        if not self.frozen_stages:
            return []
        return [self.stem, self.norm, *self.stages[: self.frozen_stages]]

    def train(self, mode: bool = True) -> EfficientNetTrunk:
        """Set the mode; frozen stages, and with ``norm_eval`` all norms, stay in evaluation."""
        super().train(mode)
        for part in self._frozen():
            part.eval()
        if self.norm_eval:
            for module in self.modules():
                if is_batch_norm(module):
                    module.eval()
        return self

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Map of the last kept stage: ``(N, D, h, w)`` of images ``(N, 3, H, W)``."""
        # Depthwise convolutions are several times faster so on a CPU.
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.no_grad() if self.frozen_stages else nullcontext():
            x = self.norm(self.stem(x))
            for stage in self.stages[: self.frozen_stages]:
                x = stage(x)
        for stage in self.stages[self.frozen_stages :]:
            x = stage(x)
        return (x,)
