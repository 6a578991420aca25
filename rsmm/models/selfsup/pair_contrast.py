"""Learning from pairs of dates: two views of a pair against all other pairs of the batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor

from rsmm.errors import ConfigError
from rsmm.models.layers.pair_vectors import sample_weights
from rsmm.models.losses.functional import masked_pool, nt_xent
from rsmm.models.selfsup.projectors import mlp
from rsmm.models.selfsup.simclr import SimCLR
from rsmm.registry import MODELS


@MODELS.register_module()
class PairProjector(BaseModule):
    """Two layers from the vectors of before and after to the embedding of the pair.

    Args:
        in_channels: Channels of one date's vector; the layer takes both.
        hidden: Size between the layers, default that of the input.
        out_channels: Embedding size.
        init_cfg: Initialisation.
    """

    def __init__(
        self,
        in_channels: int,
        hidden: int | None = None,
        out_channels: int = 64,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.fc = mlp(2 * in_channels, hidden or 2 * in_channels, out_channels)

    def forward(self, pair: Tensor) -> Tensor:
        """Map ``(N, 2 in_channels)`` to ``(N, out_channels)``."""
        return self.fc(pair)


@MODELS.register_module()
class PairContrast(SimCLR):
    """SimCLR on pairs: features of each date are averaged where something changed.

    ``u = [phi(before, M); phi(after, M)]`` with :func:`masked_pool`; NT-Xent of the projections of
    two views. Source: Mall et al., "Change Event Dataset for Discovery from Spatio-temporal Remote
    Sensing Imagery" (NeurIPS 2022), as ``EventViews`` makes the views.

    Args:
        backbone: Its last feature map has as many cells as ``EventViews.cells``.
        neck: :class:`PairProjector`.
        temperature: Divisor of the similarities.
        joint: One forward for all four images instead of four: faster, and batch statistics then
            are those of all.
        data_preprocessor, init_cfg: See mmengine.
    """

    def __init__(self, *args, temperature: float = 0.07, joint: bool = False, **kwargs) -> None:
        super().__init__(*args, temperature=temperature, **kwargs)
        self.joint = joint

    def loss(
        self, inputs: Sequence[Tensor], data_samples: Any = None, **kwargs
    ) -> dict[str, Tensor]:
        """Loss of a batch.

        Args:
            inputs: Before and after of the first view, then of the second, ``(N, C, H, W)`` each;
                of a pair with itself one image a view, which then goes through the network once.
            data_samples: Samples with ``event_weights`` (2, h, w), those of the two views.

        Raises:
            ConfigError: Another number of images, or weights for another feature map.
        """
        if isinstance(inputs, Tensor) or len(inputs) not in (2, 4):
            found = 1 if isinstance(inputs, Tensor) else len(inputs)
            raise ConfigError(
                f'PairContrast compares two views of one or two dates, found {found} images',
                fix="Use dict(type='EventViews') in the pipeline",
            )
        weights = sample_weights(data_samples, inputs[0].device)  # (N, 2, h, w)
        maps: Sequence[Tensor]
        if self.joint:
            maps = self._map(torch.cat(list(inputs))).chunk(len(inputs))
        else:
            maps = [self._map(images) for images in inputs]
        if maps[0].shape[2:] != weights.shape[2:]:
            raise ConfigError(
                f'a feature map of {tuple(maps[0].shape[2:])} cells and weights of '
                f'{tuple(weights.shape[2:])}',
                fix='Set size and cells of the views to what the backbone makes of them',
            )
        last = len(maps) // 2 - 1  # after; before itself in a pair with itself
        first, second = (
            self.neck(
                torch.cat(
                    [masked_pool(maps[k * (last + 1) + date], weights[:, k]) for date in (0, last)],
                    dim=1,
                )
            )
            for k in range(2)
        )
        return {'loss': nt_xent(first, second, self.temperature).mean()}

    def _map(self, images: Tensor) -> Tensor:
        features = self.backbone(images)
        last = features if isinstance(features, Tensor) else features[-1]
        return last.float()
