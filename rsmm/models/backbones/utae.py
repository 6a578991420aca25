"""U-TAE: a U-Net over image series whose skips are weighted by temporal attention."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import nn

from rsmm.errors import ConfigError
from rsmm.registry import MODELS


class LightTemporalAttention(nn.Module):
    """L-TAE: each head has one learned query for the whole series and its own share of channels.

    Source: Garnot and Landrieu, "Lightweight Temporal Self-Attention for Classifying Satellite
    Images Time Series", AALTD 2020.

    Args:
        in_channels: C of the input.
        out_channels: Channels of the output.
        heads: Number of heads; divides ``in_channels``, ``width`` and ``out_channels``.
        width: Channels inside.
        key_channels: Channels of keys and queries per head.
        dropout: On the attention and on the output.
        period: Longest wavelength of the encoding of dates in days, divided by 2 pi.
    """

    frequency: torch.Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        heads: int = 16,
        width: int = 256,
        key_channels: int = 4,
        dropout: tuple[float, float] = (0.1, 0.2),
        period: float = 1000.0,
    ) -> None:
        super().__init__()
        self.heads, self.key_channels, self.width = heads, key_channels, width
        self.norm_in = nn.GroupNorm(heads, in_channels)
        self.project = nn.Linear(in_channels, width)
        self.keys = nn.Linear(width, heads * key_channels)
        self.query = nn.Parameter(torch.empty(heads, key_channels))
        nn.init.normal_(self.query, std=(2.0 / key_channels) ** 0.5)
        nn.init.normal_(self.keys.weight, std=(2.0 / key_channels) ** 0.5)
        self.drop_attention = nn.Dropout(dropout[0])
        self.mix = nn.Linear(width, out_channels)
        self.norm_mix = nn.BatchNorm1d(out_channels)
        self.drop_out = nn.Dropout(dropout[1])
        self.norm_out = nn.GroupNorm(heads, out_channels)
        half = torch.arange(width // heads) // 2
        frequency = period ** (-2.0 * half / (width // heads))
        self.register_buffer('frequency', frequency, persistent=False)

    def encode_days(self, days: torch.Tensor) -> torch.Tensor:
        """Return sines and cosines (N, T, width) of days (N, T), the same for every head."""
        angles = days[..., None].float() * self.frequency
        even = torch.arange(angles.shape[-1], device=days.device) % 2 == 0
        return torch.where(even, angles.sin(), angles.cos()).repeat(1, 1, self.heads)

    def forward(
        self, x: torch.Tensor, days: torch.Tensor, valid: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Collapse a series.

        Args:
            x: (N, T, C, h, w).
            days: (N, T).
            valid: (N, T) bool, false for padded dates.

        Returns:
            (N, C', h, w), and the attention (heads, N, T, h, w), which sums to 1 over dates.
        """
        batch, dates, channels, height, width = x.shape
        pixels = x.permute(0, 3, 4, 1, 2).reshape(-1, dates, channels)
        # Statistics per pixel over its dates, padded ones left out, so that padding is harmless.
        place = valid[:, None].expand(-1, height * width, -1).reshape(-1, dates)
        pixels = self.project(masked_group_norm(pixels, place, self.norm_in))
        code = self.encode_days(days)[:, None].expand(-1, height * width, -1, -1)
        pixels = pixels + code.reshape(-1, dates, self.width)
        keys = self.keys(pixels).view(-1, dates, self.heads, self.key_channels)
        scores = torch.einsum('pthk,hk->hpt', keys, self.query) / self.key_channels**0.5
        attention = scores.masked_fill(~place, float('-inf')).softmax(dim=-1)
        values = pixels.view(-1, dates, self.heads, self.width // self.heads)
        out = torch.einsum('hpt,pthc->phc', self.drop_attention(attention), values).flatten(1)
        out = self.norm_out(self.drop_out(F.relu(self.norm_mix(self.mix(out)))))
        out = out.view(batch, height, width, -1).permute(0, 3, 1, 2)
        attention = attention.view(self.heads, batch, height, width, dates)
        return out, attention.permute(0, 1, 4, 2, 3)


def masked_group_norm(x: torch.Tensor, valid: torch.Tensor, norm: nn.GroupNorm) -> torch.Tensor:
    """Group normalisation over valid dates and the channels of a group.

    Args:
        x: (P, T, C).
        valid: (P, T) bool.
        norm: Brings groups, weight, bias and eps.
    """
    grouped = x.unflatten(2, (norm.num_groups, -1))
    weight = valid[:, :, None, None].to(x.dtype)
    count = weight.sum(dim=1, keepdim=True) * grouped.shape[3]
    mean = (grouped * weight).sum(dim=(1, 3), keepdim=True) / count
    variance = ((grouped - mean).square() * weight).sum(dim=(1, 3), keepdim=True) / count
    scaled = ((grouped - mean) * (variance + norm.eps).rsqrt()).flatten(2)
    return scaled * norm.weight + norm.bias


class _Convs(nn.Sequential):
    """3x3 (or strided 4x4) convolutions with mirrored border, normalisation and ReLU."""

    def __init__(
        self,
        channels: Sequence[int],
        groups: int | None,
        kernel: int = 3,
        stride: int = 1,
    ) -> None:
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            norm = nn.BatchNorm2d(after) if groups is None else nn.GroupNorm(groups, after)
            conv = nn.Conv2d(before, after, kernel, stride, 1, padding_mode='reflect')
            layers += [conv, norm, nn.ReLU()]
        super().__init__(*layers)


class _Down(nn.Module):
    """Halve the size, then two convolutions, the second with a shortcut."""

    def __init__(self, before: int, after: int, groups: int | None) -> None:
        super().__init__()
        self.down = _Convs((before, before), groups, kernel=4, stride=2)
        self.first = _Convs((before, after), groups)
        self.second = _Convs((after, after), groups)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(self.down(x))
        return x + self.second(x)


class _Up(nn.Module):
    """Double the size, join the skip, two convolutions, the second with a shortcut."""

    def __init__(self, before: int, after: int, skip: int) -> None:
        super().__init__()
        self.skip = nn.Sequential(nn.Conv2d(skip, skip, 1), nn.BatchNorm2d(skip), nn.ReLU())
        self.up = nn.Sequential(
            nn.ConvTranspose2d(before, after, 4, 2, 1), nn.BatchNorm2d(after), nn.ReLU()
        )
        self.first = _Convs((after + skip, after), None)
        self.second = _Convs((after, after), None)

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        x = self.first(torch.cat([self.up(x), self.skip(skip)], dim=1))
        return x + self.second(x)


@MODELS.register_module()
class UTAE(BaseModule):
    """U-Net with a shared spatial encoder, temporal attention at the deepest level, one map out.

    The attention of the deepest level, enlarged bilinearly, weights the dates on every other level,
    each head its share of the channels. Padded dates get no weight and change no statistics.

    Source: Garnot and Landrieu, "Panoptic Segmentation of Satellite Image Time Series with
    Convolutional Temporal Attention Networks", ICCV 2021.

    Args:
        in_channels: Bands of one date.
        encoder: Channels per level, finest first.
        decoder: The same of the decoder; the last equals the encoder's last.
        heads, width, key_channels: Of the attention.
        groups: Groups of the encoder's normalisation.
        init_cfg: See mmengine.
    """

    def __init__(
        self,
        in_channels: int,
        encoder: Sequence[int] = (64, 64, 64, 128),
        decoder: Sequence[int] = (32, 32, 64, 128),
        heads: int = 16,
        width: int = 256,
        key_channels: int = 4,
        groups: int = 4,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.stem = _Convs((in_channels, encoder[0], encoder[0]), groups)
        self.downs = nn.ModuleList(
            _Down(before, after, groups) for before, after in pairwise(encoder)
        )
        self.attention = LightTemporalAttention(
            encoder[-1], decoder[-1], heads, width, key_channels
        )
        self.ups = nn.ModuleList(
            _Up(decoder[k + 1], decoder[k], encoder[k]) for k in reversed(range(len(decoder) - 1))
        )

    def forward(
        self, images: torch.Tensor, days: torch.Tensor, valid: torch.Tensor
    ) -> tuple[torch.Tensor]:
        """Map series to one feature.

        Args:
            images: (N, T, C, H, W); H and W are multiples of 2 per level, and two pixels or more at
                the deepest, for the mirrored border.
            days: (N, T).
            valid: (N, T) bool.

        Returns:
            A tuple of one tensor (N, K, H, W).

        Raises:
            ConfigError: The images are too small.
        """
        side = 2 ** (len(self.downs) + 1)
        if min(images.shape[-2:]) < side:
            raise ConfigError(
                f'images of {images.shape[-2]}x{images.shape[-1]} pixels, '
                f'but {len(self.downs) + 1} levels need {side} a side',
                where="type='UTAE'",
                fix=f'Set multiple={side} in the segmentor, or take fewer levels',
            )
        # Padded dates are left out of the convolutions altogether.
        levels = [self.stem(images[valid])]
        for down in self.downs:
            levels.append(down(levels[-1]))
        levels = [_spread(level, valid) for level in levels]
        x, attention = self.attention(levels[-1], days, valid)
        for up, skip in zip(self.ups, levels[-2::-1], strict=True):
            x = up(x, weigh_dates(skip, attention))
        return (x,)


def _spread(x: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Put dates (M, C, h, w) back to their places in (N, T, C, h, w), zero elsewhere."""
    full = x.new_zeros(*valid.shape, *x.shape[1:])
    full[valid] = x
    return full


def weigh_dates(x: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
    """Sum dates (N, T, C, H, W) with the attention (heads, N, T, h, w), heads by channel group."""
    heads, batch, dates = attention.shape[:3]
    weights = F.interpolate(
        attention.flatten(0, 1), x.shape[-2:], mode='bilinear', align_corners=False
    ).view(heads, batch, dates, *x.shape[-2:])
    grouped = x.unflatten(2, (heads, -1))
    return torch.einsum('hntyx,nthcyx->nhcyx', weights, grouped).flatten(1, 2)
