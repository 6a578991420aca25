import copy
import pickle
import random

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from rsmm.datasets.samplers.epoch_sampler import EpochInfiniteSampler, EpochSampler
from rsmm.datasets.seeded import SampleIndex, SeededDataset, seeded


class Draws(Dataset):
    """Returns what the three global generators draw for each sample."""

    metainfo = {'classes': ('a',)}

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return torch.tensor(
            [float(index), random.random(), np.random.rand(), torch.rand(()).item()],
            dtype=torch.float64,
        )


def epoch_of_draws(num_workers: int, epoch: int, seed: int = 3) -> torch.Tensor:
    dataset = SeededDataset(Draws())
    sampler = EpochSampler(dataset, shuffle=True, seed=seed)
    sampler.set_epoch(epoch)
    loader = DataLoader(dataset, batch_size=4, sampler=sampler, num_workers=num_workers)
    return torch.cat(list(loader))


def test_number_of_workers_changes_nothing():
    assert torch.equal(epoch_of_draws(0, epoch=1), epoch_of_draws(2, epoch=1))


def test_epochs_and_seeds_draw_anew():
    first, second, other = epoch_of_draws(0, 0), epoch_of_draws(0, 1), epoch_of_draws(0, 0, seed=4)
    rows = {int(row[0]): row for row in first}
    for draws in (second, other):
        assert all(not torch.equal(row[1:], rows[int(row[0])][1:]) for row in draws)


def test_seeding_leaves_the_ambient_generators_alone():
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = random.random(), np.random.rand(), torch.rand(()).item()
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    with seeded(1, 2, 3):
        random.random(), np.random.rand(), torch.rand(())
    assert (random.random(), np.random.rand(), torch.rand(()).item()) == expected


def test_plain_index_uses_the_ambient_generators():
    dataset = SeededDataset(Draws())
    torch.manual_seed(0)
    first = dataset[3]
    assert not torch.equal(first, dataset[3])
    index = SampleIndex(3, epoch=0, seed=0)
    assert torch.equal(dataset[index], dataset[index])


@pytest.mark.parametrize('clone', [copy.deepcopy, lambda item: pickle.loads(pickle.dumps(item))])
def test_proxy_copies_and_forwards(clone):
    dataset = clone(SeededDataset(Draws()))
    assert dataset.metainfo == {'classes': ('a',)}
    assert len(dataset) == 10
    with pytest.raises(AttributeError):
        _ = dataset.nothing_like_it


def test_sample_index_keeps_its_draw_through_pickling():
    index = pickle.loads(pickle.dumps(SampleIndex(7, epoch=2, seed=5)))
    assert (index, index.epoch, index.seed) == (7, 2, 5)


def indices(sampler, count):
    return [int(index) for index, _ in zip(sampler, range(count), strict=False)]


def test_infinite_sampler_resumes_where_it_stopped():
    unbroken = indices(EpochInfiniteSampler(range(7), seed=1), 30)
    resumed = EpochInfiniteSampler(range(7), seed=1)
    resumed.skip(11)
    assert indices(resumed, 19) == unbroken[11:]
    assert sorted(unbroken[:7]) == sorted(unbroken[7:14]) == list(range(7))


def test_infinite_sampler_marks_each_pass():
    draws = [
        draw for draw, _ in zip(EpochInfiniteSampler(range(3), seed=0), range(7), strict=False)
    ]
    assert [draw.epoch for draw in draws] == [0, 0, 0, 1, 1, 1, 2]


@pytest.mark.parametrize('cls', [EpochSampler, EpochInfiniteSampler])
def test_processes_share_one_global_order(cls, monkeypatch):
    module = 'rsmm.datasets.samplers.epoch_sampler.get_dist_info'
    alone = indices(cls(range(8), seed=2), 8)
    parts = []
    for rank in range(2):
        monkeypatch.setattr(module, lambda rank=rank: (rank, 2))
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda rank=rank: (rank, 2))
        parts.append(indices(cls(range(8), seed=2), 4))
    assert [index for pair in zip(*parts, strict=True) for index in pair] == alone
