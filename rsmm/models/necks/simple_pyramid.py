"""A pyramid from the one map of a plain vision transformer (Li et al., ViTDet, ECCV 2022)."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from rsmm.errors import ConfigError
from rsmm.registry import MODELS


class MapNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each pixel of ``(N, C, H, W)``."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise; the shape stays."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


@MODELS.register_module()
class SimplePyramid(BaseModule):
    """Scale the last map of a backbone by 4, 2, 1 and 1/2 and bring each to one width.

    The levels do not exchange information: a plain transformer has mixed all scales already. Each
    ends in a 1 x 1 and a 3 x 3 convolution with layer normalisation.

    Args:
        in_channels: Width of the map.
        out_channels: Width of the levels.
        num_outs: Number of levels; the fifth and further ones halve the one before by max pooling.

    Raises:
        ConfigError: Fewer than four levels, or a width that 4 does not divide.
    """

    def __init__(self, in_channels: int, out_channels: int = 256, num_outs: int = 5) -> None:
        super().__init__()
        if num_outs < 4 or in_channels % 4:
            raise ConfigError(
                f'num_outs={num_outs}, in_channels={in_channels}: expected at least four levels '
                'and a width that 4 divides',
                where='SimplePyramid',
            )
        self.num_outs = num_outs
        half, quarter = in_channels // 2, in_channels // 4
        scales = (
            (
                nn.Sequential(
                    nn.ConvTranspose2d(in_channels, half, 2, 2),
                    MapNorm(half),
                    nn.GELU(),
                    nn.ConvTranspose2d(half, quarter, 2, 2),
                ),
                quarter,
            ),
            (nn.ConvTranspose2d(in_channels, half, 2, 2), half),
            (nn.Identity(), in_channels),
            (nn.MaxPool2d(2, 2), in_channels),
        )
        self.levels = nn.ModuleList(
            nn.Sequential(scale, *_to_width(width, out_channels)) for scale, width in scales
        )

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Maps of a backbone, of which the last ``(N, C, h, w)`` is used, to ``num_outs`` levels.

        Returns:
            ``(N, out_channels, 4h, 4w)``, then half the size each time.
        """
        outputs = [level(inputs[-1]) for level in self.levels]
        while len(outputs) < self.num_outs:
            outputs.append(F.max_pool2d(outputs[-1], kernel_size=1, stride=2))
        return tuple(outputs)


def _to_width(width: int, out_channels: int) -> list[nn.Module]:
    return [
        nn.Conv2d(width, out_channels, 1, bias=False),
        MapNorm(out_channels),
        nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
        MapNorm(out_channels),
    ]
