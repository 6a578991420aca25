"""A few small convolutions in the place of a Vision Transformer's one large one."""

from __future__ import annotations

import itertools

from torch import Tensor, nn

from rsmm.errors import ConfigError
from rsmm.registry import MODELS


@MODELS.register_module()
class ConvStem(nn.Sequential):
    """Patch embedding by 3 x 3 convolutions of stride 2, each with batch norm and ReLU.

    Stands in for the patch convolution of mmpretrain's ViT:
    ``patch_cfg=dict(conv_type='rsmm.ConvStem')``. Small transformers trained from scratch on few
    images learn much faster with it. Source: Xiao et al., "Early Convolutions Help Transformers See
    Better", NeurIPS 2021.

    Args:
        in_channels: Bands.
        out_channels: Channels of a token; halved for each step before the last.
        kernel_size: Side of a patch, a power of 2.
        stride: The same.
        bias: Of the last, 1 x 1 convolution.
        **kwargs: Padding and dilation of the convolution that is replaced; not used.

    Raises:
        ConfigError: Patches that overlap, or whose side is no power of 2.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        bias: bool = True,
        **kwargs,
    ) -> None:
        side = kernel_size if isinstance(kernel_size, int) else kernel_size[0]
        step = stride if isinstance(stride, int) else stride[0]
        steps = side.bit_length() - 1
        if side != step or side != 1 << steps or steps < 1:
            raise ConfigError(
                f'patches of {side} pixels every {step}',
                where='ConvStem',
                fix='Use a patch_size of 2, 4, 8 or 16',
            )
        widths = [in_channels, *(max(8, out_channels >> (steps - 1 - i)) for i in range(steps))]
        layers: list[nn.Module] = []
        for first, second in itertools.pairwise(widths):
            layers += [
                nn.Conv2d(first, second, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(second),
                nn.ReLU(inplace=True),
            ]
        super().__init__(*layers, nn.Conv2d(widths[-1], out_channels, 1, bias=bias))

    def forward(self, images: Tensor) -> Tensor:
        """Images ``(N, C, H, W)`` to ``(N, D, H / patch, W / patch)``."""
        return super().forward(images)
