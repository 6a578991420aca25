"""The XD_XD U-Net decoder for encoders of any pyramid."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import nn

from rsmm.registry import MODELS

#: (middle, output) channels of the decoder blocks from the deepest to the finest.
_BLOCKS = ((512, 256), (512, 256), (512, 256), (256, 64), (128, 32))


class DecoderBlock(nn.Sequential):
    """Bilinear doubling, then two 3x3 convolutions with ReLU, no normalisation."""

    def __init__(self, in_channels: int, middle: int, out_channels: int) -> None:
        super().__init__(
            nn.Upsample(scale_factor=2, mode='bilinear', align_corners=False),
            nn.Conv2d(in_channels, middle, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(middle, out_channels, 3, padding=1),
            nn.ReLU(inplace=True),
        )


@MODELS.register_module()
class XDXDHead(BaseModule):
    """Decoder of the SpaceNet 7 baseline: skip connections (decoder, encoder), one logit map each.

    With :class:`VGG16Encoder` and one channel the network has 29,306,465 parameters. With an
    encoder whose finest feature is coarser than the image the logits are enlarged bilinearly.

    Args:
        in_channels: Channels of the encoder's features, finest first, at strides that double.
        num_classes: Output channels, each an independent yes or no.
        num_filters: Channels before the output.
        base_channels: 64 is the published width; the decoder's blocks shrink with it.
        init_cfg: See mmengine.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        num_classes: int = 1,
        num_filters: int = 32,
        base_channels: int = 64,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.in_channels = tuple(in_channels)
        self.num_classes = self.out_channels = num_classes
        blocks = [
            (middle * base_channels // 64, out * base_channels // 64)
            for middle, out in _BLOCKS[: len(self.in_channels)]
        ]
        skips = self.in_channels[::-1]
        inputs = [skips[0], *(skip + out for skip, (_, out) in zip(skips, blocks, strict=False))]
        self.blocks = nn.ModuleList(
            DecoderBlock(channels, *block) for channels, block in zip(inputs, blocks, strict=False)
        )
        last = blocks[-1][1] + self.in_channels[0]
        self.last = nn.Sequential(nn.Conv2d(last, num_filters, 3, padding=1), nn.ReLU(inplace=True))
        self.output = nn.Conv2d(num_filters, num_classes, 1)

    def forward(self, features: Sequence[torch.Tensor]) -> torch.Tensor:
        """Map the encoder's features to logits (N, K, h, w) at the finest feature's size."""
        x = F.max_pool2d(features[-1], 2)
        for block, skip in zip(self.blocks, reversed(features), strict=True):
            x = torch.cat([block(x), skip], dim=1)
        return self.output(self.last(x))
