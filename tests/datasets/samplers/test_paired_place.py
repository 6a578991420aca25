"""Pairs stay together, on any number of processes."""

from __future__ import annotations

import pytest

from rsmm.datasets.samplers import paired_place
from rsmm.datasets.samplers.paired_place import PairedPlaceSampler
from rsmm.errors import ConfigError


def sampler(monkeypatch, places: int, rank: int = 0, world: int = 1, **kwargs):
    monkeypatch.setattr(paired_place, 'get_dist_info', lambda: (rank, world))
    return PairedPlaceSampler(range(2 * places), seed=3, **kwargs)


@pytest.mark.parametrize('world', [1, 2, 3])
def test_rows_alternate_old_and_new(monkeypatch, world: int) -> None:
    seen = []
    for rank in range(world):
        own = sampler(monkeypatch, 10, rank, world)
        index = list(own)
        assert len(index) == len(own)
        assert all(
            new == old + 1 and old % 2 == 0
            for old, new in zip(index[::2], index[1::2], strict=True)
        )
        seen.append([int(i) for i in index])
    assert {i for part in seen for i in part} == set(range(20))
    assert len({len(part) for part in seen}) == 1


def test_two_processes_see_the_places_of_one(monkeypatch) -> None:
    whole = [int(i) for i in sampler(monkeypatch, 8)]
    parts = [[int(i) for i in sampler(monkeypatch, 8, rank, 2)] for rank in range(2)]
    # A global batch of 8 rows: the first 4 of each process.
    assert set(whole[:8]) == set(parts[0][:4] + parts[1][:4])


def test_epochs_differ_and_repeat(monkeypatch) -> None:
    own = sampler(monkeypatch, 10)
    first = [int(i) for i in own]
    own.set_epoch(1)
    second = list(own)
    assert first != second
    assert {(i.epoch, i.seed) for i in second} == {(1, 3)}
    own.set_epoch(0)
    assert [int(i) for i in own] == first
    assert [int(i) for i in sampler(monkeypatch, 3, shuffle=False)] == list(range(6))


def test_odd_dataset_is_refused() -> None:
    with pytest.raises(ConfigError, match='the dataset has 7'):
        PairedPlaceSampler(range(7), seed=0)
