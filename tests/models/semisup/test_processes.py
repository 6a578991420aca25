"""Two processes are one: thresholds, queues, losses and gradients of every rule."""

from __future__ import annotations

import pytest
import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.model import MMDistributedDataParallel
from torch.testing import assert_close

from rsmm.models.semisup.processes import join_rows, own_rows
from tests.models.semisup.tables import CASES, FRAMES, IDS, batch, build, share, total
from tests.processes import run_processes

STEPS = 3


def run_case(frame: str, name: str, many: bool) -> tuple[list[dict], dict]:
    """Some steps on the rows of this process; loss terms of each, and the state after them."""
    model = build(frame, name, many)
    world_size = get_world_size()
    wrapped = MMDistributedDataParallel(model) if world_size > 1 else model
    learnt = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learnt, lr=0.1, momentum=0.9)
    history = []
    for step in range(STEPS):
        rows = share(batch(many, step), get_rank(), world_size)
        losses = wrapped(*rows, mode='loss')
        optimizer.zero_grad()
        total(losses).backward()
        optimizer.step()
        history.append({key: float(value.detach()) for key, value in losses.items()})
    return history, model.state_dict()


def run_all() -> dict:
    return {
        f'{frame} {case}': run_case(frame, *CASES[i])
        for frame in FRAMES
        for i, case in enumerate(IDS)
    }


@pytest.fixture(scope='module')
def two(tmp_path_factory):
    """Every rule in both frames on two processes."""
    return run_processes(run_all, 2, tmp_path_factory.mktemp('two'))


@pytest.mark.distributed
@pytest.mark.parametrize('frame', FRAMES)
@pytest.mark.parametrize(('name', 'many'), CASES, ids=IDS)
def test_two_processes_are_one(two, frame, name, many):
    history, state = run_case(frame, name, many)
    key = f'{frame} {IDS[CASES.index((name, many))]}'
    for rank in (0, 1):
        found_history, found_state = two[rank][key]
        for step, (found, expected) in enumerate(zip(found_history, history, strict=True)):
            assert found.keys() == expected.keys()
            for term in expected:
                assert found[term] == pytest.approx(expected[term], rel=1e-5, abs=1e-4), (
                    step,
                    term,
                )
        for name_, value in state.items():
            assert_close(found_state[name_], value, rtol=1e-3, atol=1e-4)


def joined(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    mine = own_rows(rows).requires_grad_()
    whole = join_rows(mine)
    (whole**2).mean().backward()
    return whole.detach(), mine.grad


@pytest.mark.distributed
def test_rows_come_back_in_order_with_their_gradient(tmp_path):
    rows = torch.arange(12.0).view(6, 2)
    found = run_processes(joined, 2, tmp_path, rows)
    expected = 2 * rows / rows.numel()
    for rank, (whole, gradient) in enumerate(found):
        assert torch.equal(whole, rows)
        # The wrapper averages over the processes: each counts for two.
        assert_close(gradient, 2 * expected[rank::2])
