"""Two processes are one: losses, gradients and steps of pair and dense contrast."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.model import MMDistributedDataParallel
from torch.testing import assert_close

from rsmm.models.losses.functional import dense_nt_xent, nt_xent
from rsmm.registry import MODELS
from tests.processes import run_processes

ROWS = 4
# Batch statistics are those of sync_bn and tested there; here none are taken.
BACKBONE = dict(
    type='mmpretrain.ResNet',
    depth=18,
    num_stages=2,
    strides=(1, 2),
    dilations=(1, 1),
    stem_channels=4,
    base_channels=4,
    norm_eval=True,
)
PAIR = dict(
    type='PairContrast',
    backbone=dict(BACKBONE, out_indices=(1,)),
    neck=dict(type='PairProjector', in_channels=8, out_channels=4),
    temperature=0.5,
)
DENSE = dict(
    type='DenseContrast',
    backbone=dict(BACKBONE, out_indices=(0, 1)),
    neck=dict(type='SSNetNeck', in_channels=[4, 8], out_channels=8),
    projector=dict(type='DenseProjector', in_channels=8, out_channels=4),
    temperature=0.5,
    grid=2,
)


def own(rows: torch.Tensor) -> torch.Tensor:
    """Rows of this process: every n-th, as the samplers share them."""
    return rows[get_rank() :: get_world_size()]


def loss_and_gradient(function, shape) -> tuple:
    generator = torch.Generator().manual_seed(1)
    a, b = torch.randn(2, ROWS, *shape, generator=generator, dtype=torch.float64)
    a, b = own(a).clone().requires_grad_(), own(b).clone().requires_grad_()
    loss = function(a, b, 0.3).mean()
    loss.backward()
    return loss.detach(), a.grad / get_world_size(), b.grad / get_world_size()


def steps(settings: dict, views: int) -> tuple[list[float], dict]:
    torch.manual_seed(0)
    model = MODELS.build(settings)
    model.train()
    generator = torch.Generator().manual_seed(2)
    images = torch.randn(views, ROWS, 3, 32, 32, generator=generator)
    weights = torch.rand(ROWS, 2, 4, 4, generator=generator)
    turned = torch.tensor([[0.0, -0.6, 0.1], [0.6, 0.0, 0.0]])
    samples = [SimpleNamespace(event_weights=row, view_matrix=turned) for row in own(weights)]
    wrapped = MMDistributedDataParallel(model) if get_world_size() > 1 else model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    history = []
    for _ in range(2):
        loss = wrapped([own(view) for view in images], samples, mode='loss')['loss']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(float(loss.detach()))
    return history, model.state_dict()


def everything() -> dict:
    return {
        'rows': loss_and_gradient(nt_xent, (3,)),
        'maps': loss_and_gradient(dense_nt_xent, (3, 2, 2)),
        'pair': steps(PAIR, 4),
        'dense': steps(DENSE, 2),
    }


@pytest.mark.distributed
def test_two_processes_are_one(tmp_path):
    one, two = everything(), run_processes(everything, 2, tmp_path)
    for name in ('rows', 'maps'):
        assert_close((two[0][name][0] + two[1][name][0]) / 2, one[name][0])
        for rank in range(2):
            for found, whole in zip(two[rank][name][1:], one[name][1:], strict=True):
                assert_close(found, whole[rank::2])
    for name in ('pair', 'dense'):
        histories = torch.tensor([two[rank][name][0] for rank in range(2)]).mean(dim=0)
        assert_close(histories, torch.tensor(one[name][0]), rtol=1e-4, atol=1e-5)
        for rank in range(2):
            for key, value in one[name][1].items():
                assert_close(two[rank][name][1][key], value, rtol=1e-4, atol=1e-5)
