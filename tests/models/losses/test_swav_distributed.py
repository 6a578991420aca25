"""SwAV on two processes is SwAV on one: codes, queue, gradients and the schedule."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmengine.dist import get_rank, get_world_size
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from rsmm.engine.hooks.swav_schedule import SwAVScheduleHook
from rsmm.models.losses.swav import SwAVLoss
from tests.processes import run_processes

CROPS, BATCH, STEPS, FREEZE = 4, 8, 6, 2

pytestmark = pytest.mark.distributed


class Encoder(nn.Module):
    """A linear encoder and the loss, as DDP sees a SwAV model."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Linear(12, 8)
        self.head = nn.Module()
        self.head.loss_module = SwAVLoss(
            feat_dim=8, num_prototypes=6, num_crops=(2, CROPS - 2), queue_length=20
        )

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return self.head.loss_module(F.normalize(self.encoder(crops.flatten(0, 1)), dim=1))


class Run:
    """What the schedule's hook uses of a runner."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        class Loader(list):
            batch_size = BATCH // get_world_size()

        self.model = model
        self.optim_wrapper = type('Wrapper', (), {'optimizer': optimizer})()
        self.train_dataloader = Loader(range(STEPS))
        self.world_size, self.max_iters, self.max_epochs = get_world_size(), STEPS, 2
        self.iter = self.epoch = 0
        self.logger = type('Logger', (), {'warning': print})()


def train() -> dict:
    """Six steps on the same global batches, each process on its part."""
    model = Encoder()
    parallel = get_world_size() > 1
    bare, model = model, DistributedDataParallel(model) if parallel else model
    optimizer = torch.optim.SGD(bare.parameters(), lr=0.3, momentum=0.9)
    loss_module = bare.head.loss_module
    run, hook = Run(bare, optimizer), SwAVScheduleHook(freeze_steps=FREEZE, queue_start_epoch=1)
    hook.before_train(run)
    generator = torch.Generator().manual_seed(3)
    share = BATCH // get_world_size()
    part = slice(get_rank() * share, (get_rank() + 1) * share)
    losses, prototypes = [], []
    for run.iter in range(STEPS):
        run.epoch = run.iter // 2
        hook.before_train_epoch(run)
        crops = torch.randn(CROPS, BATCH, 12, generator=generator)[:, part]
        optimizer.zero_grad()
        loss = model(crops)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
        prototypes.append(F.normalize(loss_module.prototypes.weight.detach().clone(), dim=1))
    return {
        'losses': torch.stack(losses),
        'prototypes': torch.stack(prototypes),
        'state': {key: value.clone() for key, value in bare.state_dict().items()},
    }


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    alone = train()
    first, second = run_processes(train, 2, tmp_path)
    torch.testing.assert_close((first['losses'] + second['losses']) / 2, alone['losses'])
    for key, value in alone['state'].items():
        torch.testing.assert_close(first['state'][key], value, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(second['state'][key], first['state'][key], rtol=0, atol=0)
    # 20 is cut to two global batches of 8, filled from the second epoch on.
    assert first['state']['head.loss_module.queue_filled'] == 16


def test_prototypes_are_let_go_on_schedule(tmp_path: Path) -> None:
    """Without ``find_unused_parameters``: held prototypes still have gradients."""
    for result in run_processes(train, 2, tmp_path):
        steps = result['prototypes']
        change = (steps[1:] - steps[:-1]).abs().amax((1, 2))
        assert change[: FREEZE - 1].max() < 1e-6
        assert change[FREEZE - 1 :].min() > 1e-4


def codes_of_part() -> tuple[torch.Tensor, torch.Tensor]:
    """Codes of this process's half of a batch, ours and mmpretrain's."""
    from mmpretrain.models.losses.swav_loss import distributed_sinkhorn

    scores = torch.randn(8, 5, generator=torch.Generator().manual_seed(2))
    step = 8 // get_world_size()
    mine = scores[get_rank() * step : (get_rank() + 1) * step]
    module = SwAVLoss(feat_dim=4, num_prototypes=5, num_crops=(2, 0), epsilon=0.5)
    ours = module._codes(0, mine, torch.zeros(step, 4))
    theirs = distributed_sinkhorn(mine, 3, get_world_size(), 0.5)
    return ours, theirs


def test_codes_do_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    """mmpretrain's do: its row sums are those of one process unless one of them is zero."""
    alone, reference = codes_of_part()
    torch.testing.assert_close(alone, reference)
    parts = run_processes(codes_of_part, 2, tmp_path)
    torch.testing.assert_close(torch.cat([ours for ours, _ in parts]), alone)
    assert (torch.cat([theirs for _, theirs in parts]) - alone).abs().max() > 0.01
