"""A sampler whose batches hold each place once."""

from __future__ import annotations

from collections.abc import Iterator, Sized

import torch
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from rsmm.datasets.base import leaf_datasets
from rsmm.datasets.samplers.epoch_sampler import SkipInEpoch
from rsmm.datasets.seeded import SampleIndex
from rsmm.errors import ConfigError
from rsmm.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class DistinctPlaceSampler(SkipInEpoch, Sampler):
    """Draw different places at random dates for every batch.

    An epoch has as many rounds as the place with the fewest dates has dates. Each round shuffles
    the places, leaves out those that do not fill a batch, and takes a date of each that no earlier
    round of the epoch took. Rank ``r`` of ``n`` takes every ``n``-th draw of one global order.

    Args:
        dataset: Has ``place_items``, the samples of each place.
        batch_size: That of the loader, per process.
        shuffle: Draw anew each epoch, from ``seed + epoch``.
        seed: Seed of the run; the runner passes its own.

    Raises:
        ConfigError: The dataset knows no places, or has fewer than a global batch holds.
    """

    def __init__(
        self,
        dataset: Sized,
        batch_size: int,
        shuffle: bool = True,
        seed: int | None = None,
    ) -> None:
        self.rank, self.world_size = get_dist_info()
        self.places = getattr(next(leaf_datasets(dataset)), 'place_items', None)
        self.batch = batch_size * self.world_size
        if self.places is None or len(self.places) < self.batch:
            found = 'no' if self.places is None else len(self.places)
            raise ConfigError(
                f'{found} places for batches of {self.batch} different ones',
                where='DistinctPlaceSampler',
                fix='Use SeriesPairs with at least as many cells, or a smaller batch_size',
            )
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.rounds = min(len(items) for items in self.places)
        self.used = len(self.places) // self.batch * self.batch
        self.epoch = 0

    def _order(self) -> list[int]:
        """Return the draws of all processes."""
        generator = torch.Generator().manual_seed(self.seed + self.epoch)

        def permuted(count: int) -> list[int]:
            return torch.randperm(count, generator=generator).tolist()

        if not self.shuffle:
            return [items[k] for k in range(self.rounds) for items in self.places[: self.used]]
        dates = [[items[k] for k in permuted(len(items))] for items in self.places]
        return [
            dates[place][k]
            for k in range(self.rounds)
            for place in permuted(len(self.places))[: self.used]
        ]

    def __iter__(self) -> Iterator[SampleIndex]:
        for index in self.rest(self._order()[self.rank :: self.world_size]):
            yield SampleIndex(index, self.epoch, self.seed)

    def __len__(self) -> int:
        return self.rounds * self.used // self.world_size

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch."""
        self.epoch = epoch
