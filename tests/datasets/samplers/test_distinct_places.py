"""Batches of different places, on any number of processes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from rsmm.datasets.samplers import distinct_places
from rsmm.datasets.samplers.distinct_places import DistinctPlaceSampler
from rsmm.errors import ConfigError

PLACES = [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12, 13, 14], [15, 16, 17]]
HOME = {item: place for place, items in enumerate(PLACES) for item in items}


class Cells(list):
    place_items = PLACES


def draws(monkeypatch, batch_size, world=1, rank=0, epoch=0, **kwargs):
    monkeypatch.setattr(distinct_places, 'get_dist_info', lambda: (rank, world))
    sampler = DistinctPlaceSampler(Cells(range(18)), batch_size, seed=3, **kwargs)
    sampler.set_epoch(epoch)
    found = list(sampler)
    assert len(found) == len(sampler)
    assert {(item.epoch, item.seed) for item in found} == {(epoch, 3)}
    return [int(item) for item in found]


@pytest.mark.parametrize('shuffle', [True, False])
@pytest.mark.parametrize('batch_size', [1, 2, 4, 5])
def test_every_batch_has_different_places(monkeypatch, batch_size, shuffle):
    """Trap 13: independent draws of place and date repeat both."""
    for epoch in range(4):
        found = draws(monkeypatch, batch_size, epoch=epoch, shuffle=shuffle)
        assert len(found) == len(set(found)) == 3 * (5 // batch_size) * batch_size
        for start in range(0, len(found), batch_size):
            batch = [HOME[item] for item in found[start : start + batch_size]]
            assert len(set(batch)) == batch_size


def test_processes_share_one_order(monkeypatch):
    whole = draws(monkeypatch, 4)
    parts = [draws(monkeypatch, 2, world=2, rank=rank) for rank in range(2)]
    assert [item for pair in zip(*parts, strict=True) for item in pair] == whole


def test_epochs_differ_and_repeat(monkeypatch):
    assert draws(monkeypatch, 2, epoch=1) == draws(monkeypatch, 2, epoch=1)
    assert draws(monkeypatch, 2, epoch=1) != draws(monkeypatch, 2, epoch=2)


def test_too_few_places():
    with pytest.raises(ConfigError, match='5 places for batches of 6'):
        DistinctPlaceSampler(Cells(range(18)), 6)
    with pytest.raises(ConfigError, match='no places'):
        DistinctPlaceSampler([1, 2, 3], 1)
    assert DistinctPlaceSampler(SimpleNamespace(dataset=Cells(range(18))), 5).used == 5
