"""Two streams in one batch: ratio, passes, processes, resuming, workers."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from rsmm.datasets.samplers.two_stream import TwoStreamSampler
from rsmm.errors import ConfigError
from tests.processes import run_processes

SIZES = (10, 70)


def rows(count: int, skip: int = 0, **settings) -> list[tuple[int, int]]:
    """Indices and passes of ``count`` rows."""
    sampler = TwoStreamSampler(SimpleNamespace(sizes=SIZES), **settings)
    sampler.skip(skip)
    return [(int(index), index.epoch) for index in islice(sampler, count)]


def test_batches_hold_labelled_rows_first() -> None:
    for start in range(0, 32 * 20, 32):
        batch = rows(32, skip=start, labelled=4, unlabelled=28, seed=0)
        indices = [index for index, _ in batch]
        assert all(index < 10 for index in indices[:4])
        assert all(10 <= index < 80 for index in indices[4:])


def test_every_pass_of_a_stream_is_a_permutation() -> None:
    drawn = rows(16 * 70, labelled=8, unlabelled=8, seed=1)
    for low, high in ((0, 10), (10, 80)):
        passes: dict[int, list[int]] = {}
        for index, epoch in drawn:
            if low <= index < high:
                passes.setdefault(epoch, []).append(index)
        whole = list(passes.values())[:-1]
        assert len(whole) > 5
        assert all(sorted(order) == list(range(low, high)) for order in whole)
        assert len({tuple(order) for order in whole}) == len(whole)


def test_seed_changes_the_order_and_nothing_else_does() -> None:
    settings = dict(labelled=2, unlabelled=6)
    first = rows(200, seed=3, **settings)
    assert first == rows(200, seed=3, **settings)
    assert first != rows(200, seed=4, **settings)


@pytest.mark.parametrize('start', [0, 1, 7, 8, 163, 1000])
def test_resumes_at_any_row(start: int) -> None:
    settings = dict(labelled=2, unlabelled=6, seed=0)
    assert rows(40, skip=start, **settings) == rows(start + 40, **settings)[start:]


def drawn_by_rank(labelled: int, unlabelled: int, steps: int) -> torch.Tensor:
    batch = labelled + unlabelled
    return torch.tensor(rows(batch * steps, labelled=labelled, unlabelled=unlabelled, seed=5))


@pytest.mark.parametrize('world_size', [2, 4])
@pytest.mark.distributed
def test_processes_share_one_global_batch(world_size: int, tmp_path: Path) -> None:
    steps, labelled, unlabelled = 30, 4, 12
    whole = drawn_by_rank(labelled, unlabelled, steps).view(steps, -1, 2)
    parts = run_processes(
        drawn_by_rank,
        world_size,
        tmp_path,
        labelled // world_size,
        unlabelled // world_size,
        steps,
    )
    joined = torch.cat([part.view(steps, -1, 2) for part in parts], dim=1)
    for step in range(steps):
        assert sorted(map(tuple, joined[step].tolist())) == sorted(map(tuple, whole[step].tolist()))


def test_length_is_one_pass_of_the_longer_stream() -> None:
    sampler = TwoStreamSampler(SimpleNamespace(sizes=SIZES), 2, 6, seed=0)
    assert len(sampler) == 12 * 8  # 70 samples in rows of 6
    assert len(TwoStreamSampler(SimpleNamespace(sizes=SIZES), 4, 0, seed=0)) == 3 * 4


@pytest.mark.parametrize(
    ('sizes', 'labelled', 'unlabelled'), [((4, 0), 2, 2), ((4, 4), 0, 2), ((0, 4), 1, 1)]
)
def test_rows_of_an_empty_stream(sizes: tuple, labelled: int, unlabelled: int) -> None:
    with pytest.raises(ConfigError, match='at least one labelled row'):
        TwoStreamSampler(SimpleNamespace(sizes=sizes), labelled, unlabelled, seed=0)


def test_a_dataset_of_one_stream() -> None:
    with pytest.raises(ConfigError, match='TwoStreams'):
        TwoStreamSampler([1, 2, 3], seed=0)


def test_batch_size_that_does_not_fit() -> None:
    sampler = TwoStreamSampler(SimpleNamespace(sizes=SIZES), 2, 6, seed=0)
    sampler.check_batch(8)
    with pytest.raises(ConfigError, match='2 labelled . 6 unlabelled'):
        sampler.check_batch(10)
