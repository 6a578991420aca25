"""SwAV's prototypes, queue and loss as a module for ``mmpretrain.SwAVHead``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.dist import all_gather, get_rank, get_world_size
from mmengine.model import BaseModule
from torch import Tensor, nn

from rsmm.errors import ConfigError
from rsmm.models.losses.functional.swav import sinkhorn, swav_loss
from rsmm.registry import MODELS

#: Crops that get codes: the first two, as in the paper.
FULL_CROPS = 2


@MODELS.register_module()
class SwAVLoss(BaseModule):
    """Prototypes, queue and swapped-prediction loss (Caron et al., NeurIPS 2020).

    Codes are computed from the scores of all processes together, so N processes train as one does.
    (mmpretrain's loss sums over processes only in a special case, and its codes then differ.) The
    queue is a buffer: checkpoints carry it, and no file beside them is read back by surprise.
    Prototypes and queue follow a schedule kept by ``SwAVScheduleHook``.

    Args:
        feat_dim: Width of the embeddings.
        num_prototypes: Rule of thumb: ten times the number of classes; 3000 for ImageNet.
        num_crops: Crops per size, e.g. (2, 6); the first size must have 2.
        epsilon: Softness of the codes; 0.03 for small data.
        iterations: Of the Sinkhorn algorithm.
        temperature: Divisor of the scores.
        queue_length: Embeddings of the full crops kept for the codes; 0 for none.

    Raises:
        ConfigError: Settings out of range.
    """

    def __init__(
        self,
        feat_dim: int = 128,
        num_prototypes: int = 3000,
        num_crops: Sequence[int] = (2, 6),
        epsilon: float = 0.05,
        iterations: int = 3,
        temperature: float = 0.1,
        queue_length: int = 0,
    ) -> None:
        super().__init__()
        if num_crops[0] != FULL_CROPS:
            raise ConfigError(
                f'num_crops={tuple(num_crops)}: codes are made from {FULL_CROPS} full crops',
                where='SwAVLoss',
            )
        self.num_crops = sum(num_crops)
        self.epsilon, self.iterations, self.temperature = epsilon, iterations, temperature
        self.prototypes = nn.Linear(feat_dim, num_prototypes, bias=False)
        self.register_buffer('queue', torch.zeros(FULL_CROPS, queue_length, feat_dim))
        self.register_buffer('queue_filled', torch.tensor(0))
        #: Whether embeddings enter the queue and, once it is full, take part in the codes.
        self.queue_active = False

    def forward(self, embeddings: Tensor) -> Tensor:
        """Loss of a batch.

        Args:
            embeddings: Unit embeddings of all crops, crop after crop, ``(V * B, D)``.

        Raises:
            ConfigError: Another number of crops, or a queue shorter than the batch.
        """
        if len(embeddings) % self.num_crops:
            raise ConfigError(
                f'{len(embeddings)} embeddings do not come from {self.num_crops} crops a sample',
                where='SwAVLoss',
                fix='Make num_crops and the MultiView of the pipeline agree',
            )
        self.normalise_prototypes()
        embeddings = F.normalize(embeddings.float(), dim=1)
        with torch.autocast(embeddings.device.type, enabled=False):
            scores = self.prototypes(embeddings).chunk(self.num_crops)
            crops = embeddings.detach().chunk(self.num_crops)
            codes = tuple(self._codes(k, scores[k].detach(), crops[k]) for k in range(FULL_CROPS))
            if self.queue_active:
                self._enqueue(crops[:FULL_CROPS])
            return swav_loss(
                scores[0],
                scores[1],
                temperature=self.temperature,
                other_scores=scores[FULL_CROPS:],
                codes=codes,
            )

    @torch.no_grad()
    def normalise_prototypes(self) -> None:
        """Bring the prototypes to unit length."""
        self.prototypes.weight.copy_(F.normalize(self.prototypes.weight, dim=1))

    def _codes(self, crop: int, scores: Tensor, embeddings: Tensor) -> Tensor:
        """Codes ``(B, K)`` of this process, from all processes and the queue."""
        batch = len(scores)
        pool = torch.cat(all_gather(scores))
        total = len(pool)
        if self.queue_active and self._usable(total):
            old = F.linear(self.queue[crop][: self._length(total)], self.prototypes.weight.detach())
            pool = torch.cat([pool, old])
        codes = sinkhorn(pool, self.epsilon, self.iterations)
        start = get_rank() * batch
        return codes[start : start + batch]

    def _length(self, total: int) -> int:
        """Queue length in use: a multiple of the batch of all processes."""
        length = self.queue.shape[1] // total * total
        if length == 0:
            raise ConfigError(
                f'queue_length={self.queue.shape[1]} is shorter than a batch of {total}',
                where='SwAVLoss',
                fix='Set a longer queue, or queue_length=0',
            )
        return length

    def _usable(self, total: int) -> bool:
        return self.queue.shape[1] > 0 and int(self.queue_filled) >= self._length(total)

    @torch.no_grad()
    def _enqueue(self, crops: Sequence[Tensor]) -> None:
        if self.queue.shape[1] == 0:
            return
        total = len(crops[0]) * get_world_size()
        length = self._length(total)
        for crop, embeddings in enumerate(crops):
            new = torch.cat(all_gather(embeddings.contiguous()))
            self.queue[crop, :length] = torch.cat([new, self.queue[crop, : length - total]])
        self.queue_filled.add_(total).clamp_(max=length)
