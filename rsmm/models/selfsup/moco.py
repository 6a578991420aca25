"""MoCo v2 and its sub-space family: MoCo-TP and SeCo."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from rsmm.models.losses.functional import seco_loss
from rsmm.models.selfsup.contrastive_core import (
    Embeddings,
    MomentumContrast,
    embedding_quality,
)
from rsmm.registry import MODELS


@MODELS.register_module()
class MoCo(MomentumContrast):
    """Momentum contrast of a query view with one key view per embedding sub-space.

    With one sub-space and two views this is MoCo v2; fed with two dates of a place, MoCo-TP. With
    three sub-spaces and four views it is SeCo. Any number of bands works, given a backbone with as
    many input channels.

    Inputs: ``1 + num_spaces`` views ``(N, C, H, W)``, the query first.

    Args:
        backbone: Config of a backbone that returns a tuple of feature maps.
        neck: Projector; a two-layer head by default. A ``MoCoMLP`` gets ``num_spaces`` heads.
        feat_dim: Embedding size.
        num_spaces: Embedding sub-spaces.
        **kwargs: As :class:`MomentumContrast`.
    """

    def __init__(
        self,
        backbone: dict | nn.Module,
        neck: dict | nn.Module | None = None,
        feat_dim: int = 128,
        *,
        num_spaces: int = 1,
        **kwargs,
    ) -> None:
        neck = neck or {'type': 'MoCoMLP', 'out_channels': feat_dim}
        if isinstance(neck, dict) and neck['type'] == 'MoCoMLP':
            neck = {'num_spaces': num_spaces, **neck}
        super().__init__(backbone, neck, feat_dim=feat_dim, num_spaces=num_spaces, **kwargs)

    def loss(self, inputs: Sequence[Tensor], data_samples: list | None = None) -> dict[str, Tensor]:
        """Contrast one batch, then let its keys into the queues.

        Args:
            inputs: Views, each ``(N, C, H, W)``, the query first.
            data_samples: Meta information; only change-aware methods read it.

        Returns:
            ``loss`` and, for the log, its part per sub-space, alignment and uniformity.
        """
        self.check_batch(inputs, num_views=1 + self.num_spaces)
        q = self.encode(inputs[0])
        self.update_key_encoder()
        keys = self.encode_keys(inputs[1:])
        out = self.contrast(q, keys, inputs, data_samples)
        self.enqueue([views[i] for i, views in enumerate(keys)])
        parts = {f'space{i}': part for i, part in enumerate(out['per_space'].detach())}
        own = self.own_rows(keys[0][0], len(q[0]))
        return {
            'loss': out['loss'],
            **(parts if self.num_spaces > 1 else {}),
            **embedding_quality(q[0], own),
        }

    def contrast(
        self,
        q: Embeddings,
        keys: list[Embeddings],
        inputs: Sequence[Tensor],
        data_samples: list | None,
    ) -> dict[str, Tensor]:
        """Compare queries with keys; see :func:`rsmm.models.losses.functional.seco_loss`."""
        keys, offset = self.local_rows(keys, len(q[0]))
        return seco_loss(q, keys, self.queues(), self.temperature, row_offset=offset)


@MODELS.register_module()
class SeCo(MoCo):
    """Seasonal Contrast: :class:`MoCo` with three sub-spaces.

    Views: query, then the keys that it must match in sub-space 0 (another date and augmentation),
    1 (another date) and 2 (the same date, augmented). Source: Manas et al., ICCV 2021.

    Args:
        *args: As :class:`MoCo`.
        num_spaces: 3.
        **kwargs: As :class:`MoCo`.
    """

    def __init__(self, *args, num_spaces: int = 3, **kwargs) -> None:
        super().__init__(*args, num_spaces=num_spaces, **kwargs)
