"""Golden values and invariants of SwAV's codes and loss."""

from __future__ import annotations

import math

import pytest
import torch

from rsmm.errors import ConfigError, DataError
from rsmm.models.losses.functional import code_cross_entropy, sinkhorn, swav_loss

S = torch.tensor([[0.9, 0.1, 0], [0.8, 0.3, 0.1], [0.2, 0.7, 0.1], [0, 0.2, 0.6]])
S2 = torch.tensor([[0.7, 0.2, 0.1], [0.6, 0.4, 0], [0.3, 0.6, 0.2], [0.1, 0.1, 0.7]])
GOLDEN = [
    (
        0.05,
        3,
        [
            [0.999945, 0.000028, 0.000028],
            [0.987537, 0.010967, 0.001495],
            [0, 0.999954, 0.000046],
            [0, 0.000045, 0.999955],
        ],
        [1.987482, 1.010994, 1.001524],
    ),
    (
        0.5,
        1,
        [
            [0.607171, 0.192564, 0.200264],
            [0.483107, 0.279180, 0.237713],
            [0.144850, 0.618513, 0.236637],
            [0.100318, 0.235090, 0.664592],
        ],
        [1.335446, 1.325348, 1.339207],
    ),
    (
        0.5,
        3,
        [
            [0.606548, 0.194015, 0.199437],
            [0.482310, 0.281107, 0.236583],
            [0.144192, 0.620978, 0.234830],
            [0.100323, 0.237116, 0.662561],
        ],
        [1.333374, 1.333215, 1.333411],
    ),
    (
        1.0,
        3,
        [
            [0.477810, 0.258999, 0.263191],
            [0.415891, 0.304306, 0.279804],
            [0.237257, 0.471893, 0.290850],
            [0.202343, 0.298144, 0.499512],
        ],
        [1.3333] * 3,
    ),
]


@pytest.mark.parametrize(('epsilon', 'iterations', 'rows', 'columns'), GOLDEN)
def test_golden_codes(epsilon, iterations, rows, columns) -> None:
    codes = sinkhorn(S, epsilon, iterations)
    torch.testing.assert_close(codes, torch.tensor(rows), atol=1.1e-6, rtol=0)
    torch.testing.assert_close(codes.sum(0), torch.tensor(columns), atol=1e-4, rtol=0)


@pytest.mark.parametrize('epsilon', [0.005, 0.03, 0.5, 10.0])
def test_invariants(epsilon: float) -> None:
    scores = torch.rand(16, 7, generator=torch.Generator().manual_seed(0)) * 2 - 1
    codes = sinkhorn(scores, epsilon)
    torch.testing.assert_close(codes.sum(1), torch.ones(16))
    torch.testing.assert_close(sinkhorn(scores + 3, epsilon), codes, atol=1e-3, rtol=1e-3)
    rows, columns = torch.randperm(16), torch.randperm(7)
    shuffled = sinkhorn(scores[rows][:, columns], epsilon)
    torch.testing.assert_close(shuffled, codes[rows][:, columns])


def test_limits() -> None:
    scores = torch.randn(12, 4, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(sinkhorn(scores, 1e6), torch.full((12, 4), 0.25))
    many = sinkhorn(scores, 0.5, 200).sum(0)
    torch.testing.assert_close(many, torch.full((4,), 3.0), atol=1e-4, rtol=0)


def test_half_precision_does_not_overflow() -> None:
    codes = sinkhorn((S * 10).half(), 0.05)
    assert codes.dtype == torch.float32
    assert torch.isfinite(codes).all()


@pytest.mark.parametrize(('own', 'other', 'expected'), [(S, S2, 1.938513), (S2, S, 2.866817)])
def test_golden_cross_entropy(own, other, expected) -> None:
    """The two halves of the golden loss below."""
    found = code_cross_entropy(sinkhorn(own, 0.5, 3), other, 0.1)
    assert found.item() == pytest.approx(expected, abs=2e-6)


def test_golden_loss() -> None:
    assert swav_loss(S, S2, 0.5, 3, 0.1).item() == pytest.approx(2.402665, abs=2e-6)
    assert swav_loss(S2, S, 0.5, 3, 0.1).item() == pytest.approx(2.402665, abs=2e-6)
    flat = torch.zeros(8, 3000)
    assert swav_loss(flat, flat).item() == pytest.approx(math.log(3000), abs=1e-5)


def test_small_crops_predict_both_codes() -> None:
    """With V crops each code is predicted by V - 1 of them, equally weighted."""
    third = S.flip(0)
    a, b = sinkhorn(S, 0.5), sinkhorn(S2, 0.5)

    def ce(codes, scores):
        return -(codes * torch.log_softmax(scores / 0.1, 1)).sum(1).mean()

    expected = (ce(a, S2) + ce(a, third) + ce(b, S) + ce(b, third)) / 4
    torch.testing.assert_close(swav_loss(S, S2, 0.5, other_scores=[third]), expected)


def test_codes_carry_no_gradient() -> None:
    a, b = S.clone().requires_grad_(), S2.clone()
    swav_loss(a, b, 0.5).backward()
    codes = sinkhorn(S2, 0.5)
    expected = (torch.softmax(S / 0.1, 1) - codes) / 0.1 / 4 / 2
    torch.testing.assert_close(a.grad, expected)


def test_gradient_in_64_bits() -> None:
    a, b, codes = S.double().requires_grad_(), S2.double(), sinkhorn(S.double())
    assert swav_loss(a, b).dtype == torch.float64
    assert torch.autograd.gradcheck(lambda scores: swav_loss(scores, b, codes=(codes, codes)), (a,))


def test_refuses_crops_of_different_shapes() -> None:
    for other in (S[:1], S[:, :2], S[0]):
        with pytest.raises(DataError, match='expected scores'):
            swav_loss(S, other, 0.5)
    with pytest.raises(DataError, match='expected scores'):
        swav_loss(S, S2, 0.5, other_scores=[S[:1]])
    with pytest.raises(DataError, match='expected scores'):
        sinkhorn(S[0])
    with pytest.raises(ConfigError, match='temperature'):
        swav_loss(S, S2, temperature=0)


@pytest.mark.parametrize('bad', [{'epsilon': 0.0}, {'iterations': 0}])
def test_refuses_settings(bad: dict) -> None:
    with pytest.raises(ConfigError, match='sinkhorn'):
        sinkhorn(S, **bad)
