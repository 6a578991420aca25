"""Randomness that depends on seed, epoch and sample only.

mmengine seeds every loader worker once, so a change of ``num_workers`` or a resumed run draws other
augmentations. Here the sampler hands out indices that carry the seed and the epoch, and the dataset
proxy seeds the global generators from them before it loads a sample.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, get_worker_info

from rsmm.registry import DATASETS


class SampleIndex(int):
    """An index that knows which draw it belongs to.

    Attributes:
        epoch: Pass over the data, from 0.
        seed: Seed of the run.
    """

    epoch: int
    seed: int

    def __new__(cls, index: int, epoch: int, seed: int) -> SampleIndex:
        self = super().__new__(cls, index)
        self.epoch = epoch
        self.seed = seed
        return self

    def __reduce__(self):
        return SampleIndex, (int(self), self.epoch, self.seed)


def derive_seed(*parts: int) -> int:
    """Mix non-negative integers into one seed below 2**32."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


def seed_generators(seed: int) -> None:
    """Seed Python's, NumPy's and torch's global CPU generators."""
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)


@contextlib.contextmanager
def seeded(*parts: int) -> Iterator[None]:
    """Seed the global generators inside the block and put their states back afterwards.

    In a loader worker nothing else draws numbers, so the states are not put back there.
    """
    in_worker = get_worker_info() is not None
    if not in_worker:
        states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    seed_generators(derive_seed(*parts))
    try:
        yield
    finally:
        if not in_worker:
            random.setstate(states[0])
            np.random.set_state(states[1])
            torch.set_rng_state(states[2])


class DatasetProxy(Dataset):
    """A dataset in front of another one, whose attributes it shows as its own.

    Args:
        dataset: The dataset to wrap, or its config.
    """

    def __init__(self, dataset: Dataset | dict) -> None:
        self.dataset = built_dataset(dataset)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getattr__(self, name: str):
        # Dunder look-ups (pickling, torch's __getitems__) must not reach through the proxy.
        if name == 'dataset' or name.startswith('__'):
            raise AttributeError(name)
        return getattr(self.dataset, name)


def built_dataset(dataset: Dataset | dict) -> Any:
    """Return a dataset, building it if a config is given."""
    return DATASETS.build(dataset) if isinstance(dataset, dict) else dataset


@DATASETS.register_module()
class SeededDataset(DatasetProxy):
    """Proxy of any map-style dataset that loads sample ``i`` under a seed of its own.

    With a plain ``int`` index (another library's sampler) the ambient generators are used. All
    other attributes are those of the wrapped dataset.

    Args:
        dataset: The dataset to wrap, or its config.
    """

    def __getitem__(self, index: int):
        if not isinstance(index, SampleIndex):
            return self.dataset[index]
        with seeded(index.seed, index.epoch, int(index)):
            return self.dataset[int(index)]
