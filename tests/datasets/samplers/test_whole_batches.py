"""Three processes and sixteen places: as many steps as the data has, and nothing twice."""

from __future__ import annotations

import pytest

from rsmm.datasets.samplers import epoch_sampler, paired_place
from rsmm.datasets.samplers.epoch_sampler import EpochSampler
from rsmm.datasets.samplers.paired_place import PairedPlaceSampler


def passes(monkeypatch, kind, samples: int, world: int, batch: int) -> list[list[int]]:
    """The draws of each process in one epoch."""
    found = []
    for rank in range(world):
        for module in (epoch_sampler, paired_place):
            monkeypatch.setattr(module, 'get_dist_info', lambda rank=rank: (rank, world))
        monkeypatch.setattr(
            'mmengine.dataset.sampler.get_dist_info', lambda rank=rank: (rank, world)
        )
        sampler = kind(list(range(samples)), seed=1)
        sampler.whole_batches(batch, samples)
        draws = list(map(int, sampler))
        assert len(draws) == len(sampler)
        assert list(map(int, sampler)) == draws
        sampler.skip_in_epoch(batch)
        assert list(map(int, sampler)) == draws[batch:]
        found.append(draws)
    return found


@pytest.mark.parametrize('kind', [EpochSampler, PairedPlaceSampler])
@pytest.mark.parametrize(
    ('samples', 'world', 'batch'),
    [(16, 3, 2), (32, 3, 4), (16, 1, 2), (18, 3, 2), (22, 2, 4), (12, 5, 2)],
)
def test_steps_and_repeats(monkeypatch, kind, samples, world, batch):
    found = passes(monkeypatch, kind, samples, world, batch)
    steps = samples // (world * batch)
    assert {len(draws) for draws in found} == {steps * batch}
    drawn = [index for draws in found for index in draws]
    assert len(set(drawn)) == len(drawn)


@pytest.mark.parametrize('kind', [EpochSampler, PairedPlaceSampler])
def test_less_data_than_a_global_batch(monkeypatch, kind):
    assert {len(draws) for draws in passes(monkeypatch, kind, 10, 3, 4)} == {4}
