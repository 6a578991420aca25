"""SACo, SACo+ and SA+MoCo: one weight-shared encoder over groups of three bands."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rsmm.errors import ConfigError, DataError
from rsmm.models.losses.functional import saco_loss
from rsmm.models.losses.functional.contrastive import GROUP_MODES
from rsmm.models.selfsup.contrastive_core import (
    Embeddings,
    MomentumContrast,
    embedding_quality,
)
from rsmm.ops.band_groups import (
    TEXTURE_GROUPS,
    TEXTURE_PREFIX,
    resolve_groups,
    stack_groups,
    texture_bands,
)
from rsmm.registry import MODELS
from rsmm.sensors import resolve_bands


class BandGrouper(nn.Module):
    """Turn a multi-band image into a stack of three-band images.

    Args:
        bands: Names of the bands that come in, or the name of an order. Bands called
            ``LBP_<band>`` are texture made by the loader (``AppendTexture``).
        groups: Preset (``'readme'``, ``'saco_code'``, ``'saco_code_eurosat'``) or triples of names.
        texture: True for four more groups of texture, computed here, on the device; or settings of
            :func:`rsmm.ops.band_groups.texture_bands` that differ from its defaults.
    """

    def __init__(
        self,
        bands: str | Sequence[str],
        groups: str | Sequence[Sequence[str]] = 'readme',
        texture: bool | dict = False,
    ) -> None:
        super().__init__()
        self.bands = tuple(resolve_bands(bands))
        self.groups = resolve_groups(groups, self.bands)
        wanted = texture is True or isinstance(texture, dict)
        self.texture = dict(texture) if isinstance(texture, dict) else {}
        self.texture_groups = []
        if wanted:
            named = [[TEXTURE_PREFIX + band for band in group] for group in TEXTURE_GROUPS]
            made = [*self.bands, *(TEXTURE_PREFIX + band for band in self.bands)]
            self.texture_groups = resolve_groups(named, made)
        self.made_by_loader = any(band.startswith(TEXTURE_PREFIX) for band in self.bands)

    def __len__(self) -> int:
        return len(self.groups) + len(self.texture_groups)

    def forward(self, images: Tensor) -> Tensor:
        """``(N, C, H, W)`` in [0, 1] to ``(G, N, 3, H, W)``.

        Raises:
            DataError: Another number of bands comes in than the names given.
        """
        if images.shape[1] != len(self.bands):
            raise DataError(
                f'expected {len(self.bands)} bands ({", ".join(self.bands)}), '
                f'found {images.shape[1]}',
                where='groups',
                fix='Select them by name in the pipeline (SelectBands), or change bands',
            )
        stacked = stack_groups(images, self.bands, self.groups)
        if not self.texture_groups:
            return stacked
        textures, names = images, self.bands
        if not self.made_by_loader:
            textures = texture_bands(images, **self.texture)
            names = tuple(TEXTURE_PREFIX + band for band in self.bands)
        return torch.cat([stacked, stack_groups(textures, names, self.texture_groups)])


@MODELS.register_module()
class SACo(MomentumContrast):
    """Semantic-aware contrast of an image with its augmentation and with another date.

    Each band group passes the same encoder; the image's embedding is the mean of its groups', and
    the group term draws the groups of an image together. ``texture=True`` adds four groups of LBP
    bands (SACo+). ``num_keys=1`` compares two views of one date (SA+MoCo). Texture is computed on
    the model's device unless the loader already did.

    Inputs: ``1 + num_keys`` views ``(N, C, H, W)`` in [0, 1]: the image, augmented, other date.
    Source: Stival et al., ISPRS J. Photogramm. Remote Sens. 223 (2025).

    Args:
        backbone: Three-channel backbone, see :class:`MomentumContrast`.
        bands: Names of the input bands, or the name of an order (``'seco'``).
        neck: Projector; the three-layer head by default.
        groups: Band groups, see :class:`BandGrouper`.
        texture: Texture settings, see :class:`BandGrouper`.
        group_loss: ``'pull'``, ``'cosine'`` or ``'reference'``, see
            :func:`rsmm.models.losses.functional.saco_group_term`.
        group_weight: Factor of the group term.
        num_keys: Key views: 2, or 1 for SA+MoCo.
        fused: One forward over all groups together; faster, but batch normalisation then mixes the
            statistics of the groups.
        queue_len: Entries in the queue.
        feat_dim: Embedding size.
        momentum: ``m`` of ``key <- m key + (1 - m) query``.
        temperature: Divisor of the similarities.
        data_preprocessor: Config or module; must bring stored values to [0, 1].
        init_cfg: Initialisation.
    """

    def __init__(
        self,
        backbone: dict | nn.Module,
        bands: str | Sequence[str],
        neck: dict | nn.Module | None = None,
        groups: str | Sequence[Sequence[str]] = 'readme',
        texture: bool | dict = False,
        group_loss: str = 'pull',
        group_weight: float = 1.0,
        num_keys: int = 2,
        fused: bool = False,
        queue_len: int = 65536,
        feat_dim: int = 256,
        momentum: float = 0.999,
        temperature: float = 0.05,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if group_loss not in GROUP_MODES or num_keys < 1:
            raise ConfigError(
                f'group_loss={group_loss!r}, num_keys={num_keys}',
                where='SACo',
                fix=f'group_loss is one of {", ".join(GROUP_MODES)}, num_keys at least 1',
            )
        super().__init__(
            backbone=backbone,
            neck=neck or {'type': 'GroupMLP', 'out_channels': feat_dim},
            queue_len=queue_len,
            feat_dim=feat_dim,
            momentum=momentum,
            temperature=temperature,
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
        )
        self.grouper = BandGrouper(bands, groups, texture)
        self.group_loss = group_loss
        self.group_weight = group_weight
        self.num_keys = num_keys
        self.fused = fused

    def extract_feat(self, inputs: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Feature maps of the query backbone, averaged over the groups of a multi-band image.

        Three-band input passes the backbone as it is.
        """
        x = inputs if isinstance(inputs, Tensor) else inputs[0]
        if x.shape[1] == 3:
            return self.backbone(x)
        per_group = [self.backbone(group) for group in self.grouper(x)]
        return tuple(torch.stack(maps).mean(dim=0) for maps in zip(*per_group, strict=True))

    def encode_groups(self, x: Tensor, backbone: nn.Module, neck: nn.Module) -> Tensor:
        """Embedding of each band group, ``(N, C, H, W)`` to ``(G, N, D)``."""
        groups = self.grouper(x)
        if self.fused:
            flat = self._as_embeddings(neck(backbone(groups.flatten(0, 1))))[0]
            return flat.view(*groups.shape[:2], -1)
        return torch.stack([self._as_embeddings(neck(backbone(g)))[0] for g in groups])

    def encode_key(self, x: Tensor) -> Embeddings:
        """Key embedding, the mean over the groups, without gradient."""
        with torch.no_grad():
            return (self.encode_groups(x, self.backbone_k, self.neck_k).mean(dim=0),)

    def loss(self, inputs: Sequence[Tensor], data_samples: list | None = None) -> dict[str, Tensor]:
        """Contrast one batch, then let the augmented keys into the queue.

        Args:
            inputs: Views, each ``(N, C, H, W)``, the query first.
            data_samples: Not used.

        Returns:
            ``loss`` and, for the log, the part of each key view and of the group term.
        """
        self.check_batch(inputs, num_views=1 + self.num_keys)
        groups = self.encode_groups(inputs[0], self.backbone, self.neck)
        self.update_key_encoder()
        keys = self.encode_keys(inputs[1:])[0]
        positives = [self.own_rows(key, len(inputs[0])) for key in keys]
        out = saco_loss(
            groups,
            positives,
            self.queues()[0],
            self.temperature,
            mode=self.group_loss,
            group_weight=self.group_weight,
        )
        self.enqueue([keys[0]])
        parts = {f'view{i}': part for i, part in enumerate(out['per_view'].detach())}
        quality = embedding_quality(groups.mean(dim=0), positives[0])
        return {'loss': out['loss'], **parts, 'group': out['group'].detach(), **quality}
