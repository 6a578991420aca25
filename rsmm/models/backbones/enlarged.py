"""Any encoder on images that are enlarged first."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule

from rsmm.errors import ConfigError
from rsmm.registry import MODELS


@MODELS.register_module()
class Enlarged(BaseModule):
    """An encoder that sees its images enlarged, so that its strides shrink by the same factor.

    Buildings are one to five pixels wide at 10 m. An encoder whose first feature has stride 2 keeps
    them apart when the image is twice as large; and one that was trained on enlarged chips, as
    ``zoo_eurosat-rgb`` was, meets again the size of things that it knows.

    Args:
        backbone: Config of an encoder with a tuple of features, of rsmm, mmpretrain or mmseg.
        factor: Images (N, C, H, W) become (N, C, factor H, factor W), bilinearly.
        init_cfg: See mmengine; weights for the encoder itself belong into its own config.

    Raises:
        ConfigError: A factor below 1.
    """

    def __init__(self, backbone: dict, factor: int = 2, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        if factor < 1:
            raise ConfigError(f'factor={factor} makes images smaller', where="type='Enlarged'")
        self.net = MODELS.build(backbone)
        self.factor = factor

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Map (N, C, H, W) to the encoder's features, ``factor`` times as fine."""
        x = F.interpolate(x, scale_factor=self.factor, mode='bilinear', align_corners=False)
        # Convolutions follow the layout of their input; on CPUs this one is the faster.
        return tuple(self.net(x.contiguous(memory_format=torch.channels_last)))
