"""Learning dense features: the same ground in two views, against other ground."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpretrain.models.selfsup import BaseSelfSupervisor
from torch import Tensor, nn

from rsmm.errors import ConfigError
from rsmm.models.losses.functional import dense_nt_xent
from rsmm.models.losses.functional.pairs import check_temperature
from rsmm.registry import MODELS

SAMPLING = ('bilinear', 'nearest')


@MODELS.register_module()
class DenseProjector(BaseModule):
    """Two 1 x 1 convolutions with ReLU between, for training only.

    Args:
        in_channels: Width of the features.
        hidden: Width between the layers, default that of the features.
        out_channels: Width of the embedding.
        init_cfg: Initialisation.
    """

    def __init__(
        self,
        in_channels: int = 128,
        hidden: int | None = None,
        out_channels: int = 64,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        hidden = hidden or in_channels
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, hidden, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, out_channels, 1),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(N, in_channels, H, W)`` to ``(N, out_channels, H, W)``."""
        return self.layers(features)


@MODELS.register_module()
class DenseContrast(BaseSelfSupervisor):
    """Contrast of maps: the same place in two views against the same position of other sub-maps.

    The map of the second view is moved onto the first by the matrix that made it; both are cut into
    ``grid`` x ``grid`` sub-maps, which stand on the batch axis; :func:`dense_nt_xent` compares
    them. Source: Mall et al., "Change Event Dataset for Discovery from Spatio-temporal Remote
    Sensing Imagery" (NeurIPS 2022), dense features.

    Args:
        backbone: Config of a backbone with maps.
        neck: Config of :class:`SSNetNeck`, which makes one map of them: the features.
        projector: Config of :class:`DenseProjector`.
        temperature: Divisor of the similarities.
        grid: Sub-maps a side.
        keep: Share of the sub-maps that are compared, drawn anew for each batch.
        sampling: How maps are moved: ``'bilinear'``, or ``'nearest'`` as published.
        data_preprocessor: Config or module.
        init_cfg: Initialisation.

    Raises:
        ConfigError: A value that the loss cannot use.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        projector: dict,
        temperature: float = 0.07,
        grid: int = 4,
        keep: float = 1.0,
        sampling: str = 'bilinear',
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        check_temperature(temperature, 'DenseContrast')
        if not (grid >= 1 and 0 < keep <= 1 and sampling in SAMPLING):
            raise ConfigError(
                f'grid={grid}, keep={keep}, sampling={sampling!r}',
                where='DenseContrast',
                fix='grid from 1, keep in 0..1, sampling: ' + ' or '.join(SAMPLING),
            )
        if not isinstance(data_preprocessor, nn.Module):
            preprocessor = data_preprocessor or dict(type='MultiSpectralPreprocessor')
            data_preprocessor = MODELS.build(preprocessor)
        super().__init__(
            backbone=MODELS.build(backbone),
            neck=MODELS.build(neck),
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
        )
        self.projector = MODELS.build(projector)
        self.temperature, self.grid, self.keep = temperature, grid, keep
        self.sampling = sampling

    def loss(self, inputs: Sequence[Tensor], data_samples: Sequence, **kwargs) -> dict[str, Tensor]:
        """Loss of a batch.

        Args:
            inputs: Two views ``(N, C, H, W)``.
            data_samples: Samples with ``view_matrix`` (2, 3), from the first view to the second.

        Raises:
            ConfigError: Another number of views, or maps that the grid does not divide.
        """
        if isinstance(inputs, Tensor) or len(inputs) != 2:
            found = 1 if isinstance(inputs, Tensor) else len(inputs)
            raise ConfigError(
                f'DenseContrast compares 2 views, found {found}',
                fix="Use dict(type='DenseViews') in the pipeline",
            )
        first, second = (self.projector(self._map(view)).float() for view in inputs)
        moved = move_maps(second, self._matrices(data_samples, second), self.sampling)
        a, b = (sub_maps(maps, self.grid) for maps in (first, moved))
        if self.keep < 1:
            count = max(2, round(self.keep * len(a)))
            chosen = torch.randperm(len(a), device=first.device)[:count]
            a, b = a[chosen], b[chosen]
        return {'loss': dense_nt_xent(a, b, self.temperature)}

    def _map(self, images: Tensor) -> Tensor:
        found = self.neck(self.backbone(images))
        return found if isinstance(found, Tensor) else found[0]

    @staticmethod
    def _matrices(samples: Sequence, maps: Tensor) -> Tensor:
        rows = [torch.as_tensor(sample.view_matrix) for sample in samples]
        return torch.stack(rows).to(maps.device, torch.float32)


def move_maps(maps: Tensor, matrices: Tensor, sampling: str = 'bilinear') -> Tensor:
    """Move maps onto another view of the same ground; 0 where they do not reach.

    Args:
        maps: ``(N, C, H, W)``.
        matrices: ``(N, 2, 3)``, from places (x, y) of the result to places of ``maps``; -1 and 1
            are the outer edges of a map, so a matrix holds for maps of any stride.
        sampling: ``'bilinear'`` or ``'nearest'``.

    Returns:
        ``(N, C, H, W)``.
    """
    grid = F.affine_grid(matrices, list(maps.shape), align_corners=False)
    return F.grid_sample(maps, grid, mode=sampling, padding_mode='zeros', align_corners=False)


def sub_maps(maps: Tensor, grid: int) -> Tensor:
    """Cut maps ``(N, C, H, W)`` into ``(N grid^2, C, H / grid, W / grid)``, row by row.

    Raises:
        ConfigError: ``grid`` does not divide the sides.
    """
    count, channels, height, width = maps.shape
    if height % grid or width % grid:
        raise ConfigError(
            f'maps of {height}x{width} cells cannot be cut into {grid}x{grid} equal parts',
            where='DenseContrast',
            fix='Set the size of the views to a multiple of grid times the stride',
        )
    parts = maps.view(count, channels, grid, height // grid, grid, width // grid)
    return parts.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)
