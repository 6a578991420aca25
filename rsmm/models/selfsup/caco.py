"""TeCo and CACo: SeCo on pairs of old and new images of a place."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rsmm.errors import ConfigError
from rsmm.models.losses.functional import caco_loss, change_distances
from rsmm.models.selfsup.change_flags import ChangeFlags
from rsmm.models.selfsup.contrastive_core import Embeddings, gather_rows
from rsmm.models.selfsup.moco import SeCo
from rsmm.registry import MODELS


@MODELS.register_module()
class TeCo(SeCo):
    """SeCo with the other period of the same place as one more negative.

    The batch alternates old and new images of a place (``PairedPlaceSampler``), which is checked
    where data samples carry ``sample_idx``. An image of one period sees the queue entries of that
    period.

    Args:
        *args: As :class:`SeCo`.
        **kwargs: As :class:`SeCo`.
    """

    def contrast(
        self,
        q: Embeddings,
        keys: list[Embeddings],
        inputs: Sequence[Tensor],
        data_samples: list | None,
    ) -> dict[str, Tensor]:
        """Compare queries with keys; see :func:`rsmm.models.losses.functional.caco_loss`."""
        if data_samples and hasattr(data_samples[0], 'sample_idx'):
            paired_indices(data_samples)
        flags = torch.ones(len(q[0]), dtype=torch.long, device=q[0].device)
        return self.contrast_pairs(q, keys, flags)

    def contrast_pairs(
        self, q: Embeddings, keys: list[Embeddings], flags: Tensor
    ) -> dict[str, Tensor]:
        """CACo's loss with the given flags ``(N,)``."""
        keys, offset = self.local_rows(keys, len(q[0]))
        return caco_loss(q, keys, self.queues(), flags, self.temperature, row_offset=offset)


@MODELS.register_module()
class CACo(TeCo):
    """Change-aware contrast: the other period is a negative only where the place changed.

    How much a place changed is estimated in every step from the key encoder, averaged over epochs
    and split in two by a mixture model (``ChangeFlagHook``). All of it is model state. Data samples
    must carry ``sample_idx``.

    Args:
        *args: As :class:`SeCo`.
        num_samples: Images in the dataset, two per place; the hook sets it from the dataset.
        flags: ``evidence`` and ``keep`` of :class:`ChangeFlags`.
        **kwargs: As :class:`SeCo`.
    """

    def __init__(self, *args, num_samples: int = 0, flags: dict | None = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.change_flags = ChangeFlags(num_samples, **(flags or {}))

    def contrast(
        self,
        q: Embeddings,
        keys: list[Embeddings],
        inputs: Sequence[Tensor],
        data_samples: list | None,
    ) -> dict[str, Tensor]:
        """Compare with the flags of past epochs, then add this batch's evidence."""
        index = self.flagged_indices(data_samples).to(q[0].device)
        out = self.contrast_pairs(q, keys, self.change_flags.lookup(index))
        # Sub-space 1 does not tell seasons apart, so what is left there is lasting change.
        anchor = self.encode_keys(inputs[:1])[1][0]
        partner = torch.arange(len(anchor), device=anchor.device) ^ 1
        long, short = change_distances(anchor, keys[1][1], anchor[partner])
        self.change_flags.observe(gather_rows(index).to(long.device), long, short)
        return out

    def flagged_indices(self, data_samples: list | None) -> Tensor:
        """Sample indices ``(N,)`` of a paired batch, each of which has a flag.

        Raises:
            ConfigError: The batch is not paired, or the flags are of another dataset's size.
        """
        try:
            index = paired_indices(data_samples)
        except (TypeError, AttributeError) as error:
            raise ConfigError(
                'CACo needs the sample_idx of every sample', fix='Keep it in PackRaster.meta_keys'
            ) from error
        if int(index.max()) >= len(self.change_flags):
            raise ConfigError(
                f'sample {int(index.max())} has no change flag: there are {len(self.change_flags)}',
                where='num_samples',
                fix='Add ChangeFlagHook to custom_hooks, or set num_samples=len(dataset)',
            )
        return index


def paired_indices(data_samples: Sequence) -> Tensor:
    """Sample indices ``(N,)``, after checking that rows 2i and 2i + 1 belong to one place.

    Raises:
        ConfigError: The batch is not paired.
    """
    index = torch.tensor([int(sample.sample_idx) for sample in data_samples])
    paired = len(index) % 2 == 0 and torch.equal(index[::2] + 1, index[1::2])
    if not paired or (index[::2] % 2).any():
        raise ConfigError(
            f'rows must be old, new, old, new of one place each, found samples '
            f'{index[:6].tolist()}...',
            fix='Use PairedPlaceSampler, an even batch size and drop_last=True',
        )
    return index
