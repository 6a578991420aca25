"""The top-down neck of the dense features in which change is sought (SSNet)."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from rsmm.errors import ConfigError
from rsmm.registry import MODELS


@MODELS.register_module()
class SSNetNeck(BaseModule):
    """Bring the maps of a backbone to one width, add them from coarse to fine, convolve once.

    ``p_k = lateral_k(c_k) + nearest(p_{k+1})``, and a 3 x 3 convolution of the finest sum without
    normalisation or ReLU. Source: the dense features of Mall et al., "Change Event Dataset for
    Discovery from Spatio-temporal Remote Sensing Imagery" (NeurIPS 2022).

    Args:
        in_channels: Width of each map, finest first.
        out_channels: Width of the result.
        init_cfg: Initialisation.

    Raises:
        ConfigError: No maps.
    """

    def __init__(
        self,
        in_channels: Sequence[int] | int,
        out_channels: int = 128,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        widths = [in_channels] if isinstance(in_channels, int) else list(in_channels)
        if not widths:
            raise ConfigError('in_channels=[]: expected the width of each map', where='SSNetNeck')
        self.laterals = nn.ModuleList(nn.Conv2d(width, out_channels, 1) for width in widths)
        self.smooth = nn.Conv2d(out_channels, out_channels, 3, padding=1)

    def forward(self, maps: Sequence[Tensor] | Tensor) -> tuple[Tensor]:
        """Join maps ``(N, C_k, H_k, W_k)``, finest first, to one ``(N, out_channels, H_0, W_0)``.

        Raises:
            ConfigError: Another number of maps than widths.
        """
        maps = [maps] if isinstance(maps, Tensor) else list(maps)
        if len(maps) != len(self.laterals):
            raise ConfigError(
                f'{len(maps)} maps for {len(self.laterals)} widths',
                where='SSNetNeck',
                fix="Make backbone.out_indices fit, or set in_channels='auto'",
            )
        total = self.laterals[-1](maps[-1])
        for lateral, finer in zip(self.laterals[-2::-1], maps[-2::-1], strict=True):
            total = lateral(finer) + F.interpolate(total, finer.shape[2:], mode='nearest')
        return (self.smooth(total),)
