"""Samplers that keep the old and the new image of a place in neighbouring rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sized

import torch
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from rsmm.datasets.samplers.epoch_sampler import EpochSampler, SkipInEpoch
from rsmm.datasets.seeded import SampleIndex
from rsmm.errors import ConfigError
from rsmm.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class PairedPlaceSampler(SkipInEpoch, Sampler):
    """Shuffle places and emit the samples ``2 i`` and ``2 i + 1`` of each one after the other.

    Rank ``r`` of ``n`` takes every ``n``-th place of one global order, so a pair is never split
    and the global batch holds the same places on any number of processes. The batch size must be
    even: an odd one is refused by the model that needs pairs.

    Args:
        dataset: Two samples per place.
        shuffle: Draw a new order of the places each epoch, from ``seed + epoch``.
        seed: Seed of the run; the runner passes its own.
        round_up: Repeat the first places so that all processes get the same number.

    Raises:
        ConfigError: The dataset has an odd number of samples.
    """

    def __init__(
        self,
        dataset: Sized,
        shuffle: bool = True,
        seed: int | None = None,
        round_up: bool = True,
    ) -> None:
        if len(dataset) % 2:
            raise ConfigError(
                f'paired sampling needs two samples per place, the dataset has {len(dataset)}',
                where='PairedPlaceSampler',
                fix="Use CACoDataset with mode='caco' or 'teco'",
            )
        self.rank, self.world_size = get_dist_info()
        self.num_places = len(dataset) // 2
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.round_up = round_up
        self.epoch = 0

    def _own_places(self) -> list[int]:
        order = list(range(self.num_places))
        if self.shuffle:
            generator = torch.Generator().manual_seed(self.seed + self.epoch)
            order = torch.randperm(self.num_places, generator=generator).tolist()
        if self.round_up:
            total = math.ceil(self.num_places / self.world_size) * self.world_size
            order = (order * math.ceil(total / max(1, len(order))))[:total]
        return order[self.rank :: self.world_size]

    def __iter__(self) -> Iterator[SampleIndex]:
        draws = (2 * place + period for place in self._own_places() for period in (0, 1))
        for index in self.rest(draws):
            yield SampleIndex(index, self.epoch, self.seed)

    def __len__(self) -> int:
        places = self.num_places
        if self.round_up:
            return self.within_limit(2 * math.ceil(places / self.world_size))
        return self.within_limit(2 * len(range(self.rank, places, self.world_size)))

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch."""
        self.epoch = epoch


@DATA_SAMPLERS.register_module()
def PlaceSampler(dataset: Sized, **settings) -> Sampler:
    """Sampler that suits the dataset's date rule.

    Args:
        dataset: With ``paired`` true it is dealt out by :class:`PairedPlaceSampler`, otherwise by
            :class:`EpochSampler`.
        **settings: ``shuffle``, ``seed`` and ``round_up``, the same of both.
    """
    sampler = PairedPlaceSampler if getattr(dataset, 'paired', False) else EpochSampler
    return sampler(dataset, **settings)
