"""Golden values and invariants of the contrastive losses."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rsmm.errors import ConfigError
from rsmm.models.losses.functional import (
    caco_loss,
    change_distances,
    change_ratio,
    info_nce,
    saco_group_term,
    saco_loss,
    seco_loss,
)

TOLERANCE = 1e-5


def tensor(rows: list) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def close(value: torch.Tensor, expected) -> bool:
    expected = torch.as_tensor(expected, dtype=value.dtype)
    return torch.allclose(value, expected, atol=TOLERANCE, rtol=0)


Q = tensor([[1, 0], [0.6, 0.8]])
QUEUE = tensor([[1, 0], [0, -1], [-0.6, 0.8]])


@pytest.mark.parametrize(
    ('temperature', 'rows', 'mean'),
    [
        (1, [1.070668, 0.961321], 1.015994),
        (0.07, [2.912987, 0.056406], 1.484696),
        (0.05, [4.018150, 0.018180], 2.018165),
    ],
)
def test_info_nce_golden(temperature: float, rows: list[float], mean: float) -> None:
    loss = info_nce(Q, tensor([[0.8, 0.6], [0, 1]]), QUEUE, temperature)
    assert loss.dtype == torch.float64
    assert close(loss, rows)
    assert close(loss.mean(), mean)


@pytest.mark.parametrize(
    ('temperature', 'mean'), [(1, 0.956629), (0.2, 0.734618), (0.05, 2.009243)]
)
def test_info_nce_keeps_rows_apart(temperature: float, mean: float) -> None:
    # A broadcast of (N, 1) with (N,) would mix the rows: .954599, .633071, 1.182453.
    loss = info_nce(Q, tensor([[0.8, 0.6], [0.6, 0.8]]), QUEUE, temperature)
    assert close(loss.mean(), mean)


SECO_Q = tensor([[1, 0], [0, 1]])
SECO_VIEWS = [
    tensor([[0.8, 0.6], [0.6, 0.8]]),
    tensor([[0.6, 0.8], [0, 1]]),
    tensor([[1, 0], [-0.6, 0.8]]),
]
SECO_QUEUE = tensor([[-1, 0], [0, -1]])


def test_seco_golden() -> None:
    out = seco_loss([SECO_Q] * 3, [SECO_VIEWS] * 3, [SECO_QUEUE] * 3, 0.5)
    assert close(out['per_space'], [0.206380, 1.470524, 1.367454])
    assert close(out['loss'], 3.044359)


CACO_Q = tensor([[1, 0], [0.8, 0.6], [0, 1], [-0.6, 0.8]])
CACO_VIEWS = [
    tensor([[0.8, 0.6], [0.6, 0.8], [0.6, 0.8], [0, 1]]),
    tensor([[1, 0], [0, 1], [0, 1], [-1, 0]]),
    tensor([[0.6, 0.8], [1, 0], [-0.6, 0.8], [-0.8, 0.6]]),
]
CACO_QUEUE = tensor([[-1, 0], [0, -1], [-0.8, -0.6], [0.6, -0.8]])


@pytest.mark.parametrize(
    ('flags', 'per_space'),
    [
        ([0, 0, 0, 0], [0.519705, 2.049146, 1.992198]),
        ([1, 1, 0, 0], [0.726109, 2.082677, 2.091273]),
        ([1, 1, 1, 1], [0.914095, 2.126129, 2.161303]),
        ([-1, -1, -1, -1], [0.519705, 2.049146, 1.992198]),
    ],
)
def test_caco_golden(flags: list[int], per_space: list[float]) -> None:
    out = caco_loss([CACO_Q] * 3, [CACO_VIEWS] * 3, [CACO_QUEUE] * 3, torch.tensor(flags), 0.5)
    assert close(out['per_space'], per_space)
    assert close(out['loss'], sum(per_space))


def test_loss_of_a_split_batch_is_the_loss_of_the_whole() -> None:
    """Two processes with gathered keys see what one process sees."""
    flags = torch.tensor([1, 0, 0, 1])
    for loss, extra in ((seco_loss, []), (caco_loss, [flags])):
        whole = loss([CACO_Q] * 3, [CACO_VIEWS] * 3, [CACO_QUEUE] * 3, *extra, 0.5)
        halves = [
            loss(
                [CACO_Q[o : o + 2]] * 3,
                [CACO_VIEWS] * 3,
                [CACO_QUEUE] * 3,
                *[part[o : o + 2] for part in extra],
                0.5,
                row_offset=o,
            )
            for o in (0, 2)
        ]
        mean = torch.stack([half['per_space'] for half in halves]).mean(0)
        assert torch.allclose(whole['per_space'], mean, atol=1e-12)


def test_caco_refuses_rows_that_do_not_pair() -> None:
    with pytest.raises(ConfigError, match='3 rows.*PairedPlaceSampler'):
        caco_loss([CACO_Q[:3]] * 3, [CACO_VIEWS] * 3, [CACO_QUEUE] * 3, torch.ones(3), 0.5)


ROW = torch.ones(1, 2, dtype=torch.float64)


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: info_nce(CACO_Q, ROW, CACO_QUEUE, 0.5), 'match one to one'),
        (lambda: seco_loss([CACO_Q], [[ROW]], [CACO_QUEUE], 0.5), 'match one to one'),
        (lambda: saco_group_term(GROUPS, ROW, 'pull'), 'match one to one'),
        (
            lambda: caco_loss([CACO_Q] * 3, [CACO_VIEWS] * 3, [CACO_QUEUE] * 3, [1, 0], 0.5),
            r'expected \(4,\)',
        ),
        (lambda: info_nce(CACO_Q, CACO_Q, CACO_QUEUE, 0), 'temperature'),
    ],
)
def test_shapes_that_would_broadcast_are_refused(call: Callable, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call()


def test_flags_may_be_a_list() -> None:
    args = [CACO_Q] * 3, [CACO_VIEWS] * 3, [CACO_QUEUE] * 3
    assert close(caco_loss(*args, [1, 1, 0, 0], 0.5)['loss'], 0.726109 + 2.082677 + 2.091273)


def test_change_ratio_golden() -> None:
    points = tensor([[1, 0]]), tensor([[0.8, 0.6]]), tensor([[0, 1]])
    long, short = change_distances(*points)
    assert close(long, [1.414214])
    assert close(short, [0.632456])
    assert close(change_ratio(*points), [2.235714])


GROUPS = tensor([[[3, 4], [0, 1]], [[0, 2], [1, 0]]])


@pytest.mark.parametrize(
    ('mode', 'expected'), [('reference', 2.317071), ('pull', 0.353745), ('cosine', 0.176872)]
)
def test_group_term_golden(mode: str, expected: float) -> None:
    q = GROUPS.mean(0)
    assert close(saco_group_term(GROUPS, q, mode), expected)
    unit = tensor([[0.447214, 0.894427], [0.707107, 0.707107]])
    distances = torch.linalg.vector_norm(GROUPS - unit, dim=-1)
    assert close(distances, [[4.020113, 0.765366], [1.192599, 0.765366]])
    assert close(saco_group_term(GROUPS, unit, mode), expected)


@pytest.mark.parametrize(('mode', 'total'), [('reference', 2.490104), ('pull', 0.526777)])
def test_saco_golden(mode: str, total: float) -> None:
    keys = [tensor([[0.6, 0.8], [0.8, 0.6]]), tensor([[0, 1], [1, 0]])]
    out = saco_loss(GROUPS, keys, SECO_QUEUE, 0.5, mode=mode)
    assert close(out['per_view'], [0.071207, 0.101826])
    assert close(out['loss'], total)


def test_group_term_refuses_unknown_mode() -> None:
    with pytest.raises(ConfigError, match="'push'"):
        saco_group_term(GROUPS, GROUPS.mean(0), 'push')


def random_batch(seed: int, rows: int = 6, dim: int = 5, queue: int = 8):
    generator = torch.Generator().manual_seed(seed)

    def draw(n: int) -> torch.Tensor:
        return torch.randn(n, dim, generator=generator, dtype=torch.float64)

    q = [draw(rows) for _ in range(3)]
    keys = [[draw(rows) for _ in range(3)] for _ in range(3)]
    return q, keys, [draw(queue) for _ in range(3)]


seeds = st.integers(0, 2**31)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, temperature=st.floats(0.05, 2))
def test_invariants(seed: int, temperature: float) -> None:
    q, keys, queues = random_batch(seed)
    rows = info_nce(q[0], keys[0][0], queues[0], temperature)
    assert (rows >= 0).all()
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    shuffled = info_nce(q[0][order], keys[0][0][order], queues[0], temperature)
    assert torch.allclose(rows[order], shuffled)
    scaled = info_nce(3 * q[0], 0.5 * keys[0][0], 7 * queues[0], temperature)
    assert torch.allclose(rows, scaled)

    one_space = seco_loss(q[:1], keys[:1], queues[:1], temperature)
    assert torch.allclose(one_space['loss'], rows.mean())

    permuted = [[view[order] for view in views] for views in keys]
    assert torch.allclose(
        seco_loss(q, keys, queues, temperature)['loss'],
        seco_loss([z[order] for z in q], permuted, queues, temperature)['loss'],
    )


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_more_flags_never_lower_the_loss(seed: int) -> None:
    """A flag adds a negative; all flags give TeCo, the upper end."""
    q, keys, queues = random_batch(seed)
    losses = []
    for changed in (0, 2, 6):
        flags = (torch.arange(6) < changed).long()
        losses.append(caco_loss(q, keys, queues, flags, 0.5)['per_space'])
    assert (losses[0] <= losses[1] + 1e-12).all()
    assert (losses[1] <= losses[2] + 1e-12).all()


@pytest.mark.parametrize('length', [1, 7, 100])
def test_equal_similarities_give_log_of_the_count(length: int) -> None:
    z = torch.ones(2, 4, dtype=torch.float64)
    loss = info_nce(z, z, torch.ones(length, 4, dtype=torch.float64), 0.07)
    assert torch.allclose(loss, torch.full((2,), math.log(1 + length), dtype=torch.float64))


def test_group_term_does_not_depend_on_group_order_and_is_zero_at_agreement() -> None:
    groups = torch.randn(7, 3, 8, dtype=torch.float64)
    q = groups.mean(0)
    for mode in ('pull', 'cosine', 'reference'):
        assert torch.allclose(
            saco_group_term(groups, q, mode), saco_group_term(groups.flip(0), q, mode)
        )
    same = q.expand(7, -1, -1)
    assert saco_group_term(same, q, 'pull') < 1e-12
    assert saco_group_term(same, q, 'cosine') < 1e-12


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(dtype: torch.dtype) -> None:
    q, keys, queues = random_batch(0)
    loss = info_nce(q[0].to(dtype), keys[0][0].to(dtype), queues[0].to(dtype), 0.07)
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss).all()


def test_autocast_does_not_round_similarities() -> None:
    q, keys, queues = random_batch(0, rows=8, dim=128, queue=64)
    arguments = [q[0].float(), keys[0][0].float(), queues[0].float(), 0.05]
    with torch.autocast('cpu', torch.bfloat16):
        loss = info_nce(*arguments)
    assert torch.equal(loss, info_nce(*arguments))


def test_gradients_reach_the_query_only() -> None:
    q = Q.clone().requires_grad_()
    info_nce(q, tensor([[0.8, 0.6], [0, 1]]), QUEUE, 0.07).mean().backward()
    assert torch.isfinite(q.grad).all()
    assert q.grad.abs().sum() > 0
