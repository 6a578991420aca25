"""Contrast of maps and masked pooling against worked cases and their invariants."""

from __future__ import annotations

import json
import math

import pytest
import torch

from rsmm.errors import ConfigError
from rsmm.models.losses.functional import dense_nt_xent, masked_pool, nt_xent
from rsmm.models.selfsup.pair_contrast import PairContrast
from rsmm.models.selfsup.simclr import SimCLR

torch.manual_seed(0)


@pytest.fixture(scope='module')
def golden(repo_root):
    return json.loads((repo_root / 'tests/data/pair_learning_golden.json').read_text())


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def test_worked_cases(golden):
    for case in golden['nt_xent']:
        rows = nt_xent(tensor(case['a']), tensor(case['b']), case['temperature'])
        torch.testing.assert_close(rows, tensor(case['rows']))
    for case in golden['dense_nt_xent']:
        found = dense_nt_xent(tensor(case['a']), tensor(case['b']), case['temperature'])
        torch.testing.assert_close(found, tensor(case['expect']))
    for case in golden['masked_pool']:
        found = masked_pool(tensor(case['features']), tensor(case['mask']))
        torch.testing.assert_close(found, tensor(case['expect']))


@pytest.mark.parametrize(
    ('temperature', 'mean'), [(1, 0.673577), (0.5, 0.430190), (0.07, 0.027933)]
)
def test_published_values(temperature, mean):
    a, b = tensor([[1, 0], [0, 1]]), tensor([[0.8, 0.6], [-0.6, 0.8]])
    assert nt_xent(a, b, temperature).mean().item() == pytest.approx(mean, abs=1e-6)
    assert nt_xent(a, a, 1).mean().item() == pytest.approx(math.log(math.e + 2) - 1)


def test_dense_is_the_mean_over_positions():
    a, b = torch.randn(2, 5, 3, 4, 2, dtype=torch.float64)
    places = [nt_xent(a[..., y, x], b[..., y, x], 0.3).mean() for y in range(4) for x in range(2)]
    torch.testing.assert_close(dense_nt_xent(a, b, 0.3), torch.stack(places).mean())
    torch.testing.assert_close(dense_nt_xent(a, b, 0.3), dense_nt_xent(5 * b, a, 0.3))


@pytest.mark.parametrize('count', [2, 256])
def test_equal_embeddings_cost_the_logarithm(count):
    same = torch.ones(count, 3, 2, 2, dtype=torch.float64)
    expected = pytest.approx(math.log(2 * count - 1))
    assert dense_nt_xent(same, same).item() == expected
    assert nt_xent(same[:, :, 0, 0], same[:, :, 0, 0], 0.07).mean().item() == expected


def test_masked_pool_limits():
    features = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    constant = torch.full((2, 4, 5), 0.7)
    torch.testing.assert_close(masked_pool(features, constant), features.mean(dim=(2, 3)))
    one = torch.zeros(2, 4, 5)
    one[:, 1, 2] = 1
    torch.testing.assert_close(masked_pool(features, one), features[:, :, 1, 2])
    flipped = masked_pool(features.flip(3), one.flip(2))
    torch.testing.assert_close(flipped, features[:, :, 1, 2])
    assert masked_pool(features, one).dtype == torch.float64
    assert masked_pool(features, torch.zeros(2, 4, 5)).isnan().all()


@pytest.mark.parametrize('temperature', [0, -1, float('nan')])
def test_temperatures_that_cannot_be(temperature):
    rows, maps = torch.ones(2, 3), torch.ones(2, 3, 4, 4)
    for call in (
        lambda: nt_xent(rows, rows, temperature),
        lambda: dense_nt_xent(maps, maps, temperature),
        lambda: SimCLR({}, {}, temperature=temperature),
        lambda: PairContrast({}, {}, temperature=temperature),
    ):
        with pytest.raises(ConfigError, match='temperature'):
            call()


@pytest.mark.parametrize(
    ('call', 'match'),
    [
        (lambda: nt_xent(torch.ones(2, 3), torch.ones(3, 3), 1), r'\(2, 3\) and \(3, 3\)'),
        (lambda: nt_xent(torch.ones(2, 3, 1), torch.ones(2, 3, 1), 1), r'two of \(N, D\)'),
        (lambda: nt_xent(torch.ones(0, 3), torch.ones(0, 3), 1), 'views of shapes'),
        (lambda: dense_nt_xent(torch.ones(2, 3), torch.ones(2, 3)), 'N, C, H, W'),
        (lambda: dense_nt_xent(torch.ones(2, 3, 4, 4), torch.ones(2, 3, 4, 5)), 'and'),
        (lambda: masked_pool(torch.ones(2, 3, 4, 4), torch.ones(2, 4, 5)), 'a mask'),
        (lambda: masked_pool(torch.ones(2, 3, 4, 4), torch.ones(2, 1, 4, 4)), 'a mask'),
        (lambda: masked_pool(torch.ones(3, 4, 4), torch.ones(3, 4, 4)), 'features'),
    ],
)
def test_shapes_that_do_not_fit(call, match):
    with pytest.raises(ConfigError, match=match):
        call()
