"""Samplers whose draws carry seed and epoch (see :mod:`rsmm.datasets.seeded`)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sized

import torch
from mmengine.dataset import DefaultSampler
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from rsmm.datasets.seeded import SampleIndex
from rsmm.registry import DATA_SAMPLERS


class SkipInEpoch:
    """A sampler of epochs whose next pass may begin in its middle, as a resumed run's does.

    With :meth:`whole_batches` a pass ends with the last global batch that the data fill.
    """

    world_size: int  # of the sampler that it is mixed into
    _behind = 0
    _limit: int | None = None

    def whole_batches(self, batch_size: int, samples: int) -> None:
        """End every pass where no whole global batch is left, instead of repeating samples.

        Args:
            batch_size: Samples of a batch of one process.
            samples: In the data set. Where they fill no global batch nothing changes.
        """
        steps = samples // (batch_size * self.world_size)
        self._limit = steps * batch_size or None

    def skip_in_epoch(self, num_samples: int) -> None:
        """Leave out the first draws of this process in the next pass only."""
        self._behind = num_samples

    def rest(self, draws: Iterable[int]) -> Iterator[int]:
        """Return the draws of a pass that are left."""
        behind, self._behind = self._behind, 0
        return itertools.islice(draws, behind, self._limit)

    def within_limit(self, length: int) -> int:
        """Return the length of a pass that would have this one without a limit."""
        return length if self._limit is None else min(length, self._limit)


@DATA_SAMPLERS.register_module()
class EpochSampler(SkipInEpoch, DefaultSampler):
    """One pass over the data per epoch, spread over the processes.

    Rank ``r`` of ``n`` takes every ``n``-th draw of one global order, so the global batch holds the
    same samples on any number of processes.

    Args:
        dataset: Anything with a length.
        shuffle: Draw a new order each epoch, from ``seed + epoch``.
        seed: Seed of the run; the runner passes its own.
        round_up: Repeat the first draws so that all processes get the same number.
    """

    def __iter__(self) -> Iterator[SampleIndex]:
        for index in self.rest(super().__iter__()):
            yield SampleIndex(index, self.epoch, self.seed)

    def __len__(self) -> int:
        return self.within_limit(super().__len__())


@DATA_SAMPLERS.register_module()
class EpochInfiniteSampler(Sampler):
    """Endless stream of epochs for iteration-based loops; any position is reached at once.

    Each pass is a permutation (with ``shuffle``) drawn from ``seed + pass``. A resumed run calls
    :meth:`skip` and goes on exactly where it stopped.

    Args:
        dataset: Anything with a length.
        shuffle: Shuffle each pass.
        seed: Seed of the run; the runner passes its own.
    """

    def __init__(self, dataset: Sized, shuffle: bool = True, seed: int | None = None) -> None:
        self.rank, self.world_size = get_dist_info()
        self.dataset = dataset
        self.size = len(dataset)
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.start = 0

    def skip(self, num_samples: int) -> None:
        """Start ``num_samples`` draws of this process later (mmengine's resume contract)."""
        self.start += num_samples

    def __iter__(self) -> Iterator[SampleIndex]:
        position = self.start * self.world_size + self.rank
        current = -1
        while True:
            epoch, offset = divmod(position, self.size)
            if epoch != current:
                order, current = self._order(epoch), epoch
            yield SampleIndex(order[offset], epoch, self.seed)
            position += self.world_size

    def _order(self, epoch: int) -> list[int]:
        if not self.shuffle:
            return list(range(self.size))
        generator = torch.Generator().manual_seed(self.seed + epoch)
        return torch.randperm(self.size, generator=generator).tolist()

    def __len__(self) -> int:
        return self.size

    def set_epoch(self, epoch: int) -> None:
        """Do nothing: the pass follows from the position."""
