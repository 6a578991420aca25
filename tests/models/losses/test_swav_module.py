"""SwAV's loss module: prototypes, queue, and the schedule that moves them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from rsmm.engine.hooks.swav_schedule import SwAVScheduleHook
from rsmm.errors import ConfigError
from rsmm.models.losses.functional import sinkhorn, swav_loss
from rsmm.models.losses.swav import SwAVLoss


def embeddings(crops: int = 3, batch: int = 4, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(crops * batch, 8, generator=generator), dim=1)


def make(**kwargs) -> SwAVLoss:
    torch.manual_seed(0)
    return SwAVLoss(feat_dim=8, num_prototypes=5, num_crops=(2, 1), **kwargs)


def test_is_the_functional_loss() -> None:
    loss, z = make(), embeddings()
    value = loss(z)
    weight = loss.prototypes.weight
    torch.testing.assert_close(weight.norm(dim=1), torch.ones(5))
    a, b, c = (z @ weight.T).chunk(3)
    torch.testing.assert_close(value, swav_loss(a, b, other_scores=[c]))


def test_queue_takes_part_once_it_is_full() -> None:
    loss = make(queue_length=10, epsilon=0.5)
    loss(embeddings())
    assert loss.queue_filled == 0
    loss.queue_active = True
    batches = [embeddings(seed=seed) for seed in range(3)]
    for z in batches[:2]:
        loss(z)
    # 10 is rounded down to 8, two batches of 4; the newest comes first.
    assert loss.queue_filled == 8
    torch.testing.assert_close(loss.queue[0, :4], batches[1][:4])
    torch.testing.assert_close(loss.queue[1, 4:8], batches[0][4:8])
    with torch.no_grad():
        weight = loss.prototypes.weight
        scores = (batches[2] @ weight.T).chunk(3)
        old = loss.queue[:, :8] @ weight.T
        codes = tuple(sinkhorn(torch.cat([scores[k], old[k]]), 0.5)[:4] for k in (0, 1))
        expected = swav_loss(scores[0], scores[1], other_scores=scores[2:], codes=codes)
    torch.testing.assert_close(loss(batches[2]), expected)
    assert {'queue', 'queue_filled'} <= set(loss.state_dict())


def test_bad_settings() -> None:
    with pytest.raises(ConfigError, match='2 full crops'):
        SwAVLoss(num_crops=(1, 6))
    with pytest.raises(ConfigError, match='do not come from 3 crops'):
        make()(embeddings()[:-1])
    short = make(queue_length=3)
    short.queue_active = True
    with pytest.raises(ConfigError, match='shorter than a batch'):
        short(embeddings())


class FakeRunner:
    """What the hook uses of a runner."""

    def __init__(self, loss: SwAVLoss, steps: int = 10, epochs: int = 2, batch: int = 4) -> None:
        self.model = nn.Module()
        self.model.head = nn.Module()
        self.model.head.loss_module = loss
        optimizer = torch.optim.SGD(loss.parameters(), lr=0.5)
        self.optim_wrapper = SimpleNamespace(optimizer=optimizer)
        self.train_dataloader = SimpleNamespace(batch_size=batch, __len__=lambda: 5)
        self.world_size, self.max_iters, self.max_epochs = 1, steps, epochs
        self.iter = self.epoch = 0
        self.warnings: list[str] = []
        self.logger = SimpleNamespace(warning=self.warnings.append)


def step(runner: FakeRunner, loss: SwAVLoss) -> torch.Tensor:
    before = F.normalize(loss.prototypes.weight.detach(), dim=1)
    runner.optim_wrapper.optimizer.zero_grad()
    loss(embeddings()).backward()
    runner.optim_wrapper.optimizer.step()
    return (F.normalize(loss.prototypes.weight.detach(), dim=1) - before).abs().max()


def test_prototypes_move_after_the_held_steps() -> None:
    loss = make()
    runner = FakeRunner(loss)
    SwAVScheduleHook(freeze_steps=2).before_train(runner)
    moved = []
    for runner.iter in range(4):
        moved.append(float(step(runner, loss)))
    assert max(moved[:2]) < 1e-6
    assert min(moved[2:]) > 1e-4
    assert runner.warnings == []


def test_queue_starts_at_its_epoch() -> None:
    loss = make(queue_length=8)
    runner = FakeRunner(loss)
    hook = SwAVScheduleHook(queue_start_epoch=1)
    states = []
    for runner.epoch in range(2):
        hook.before_train_epoch(runner)
        states.append(loss.queue_active)
    assert states == [False, True]


def test_settings_that_never_take_effect_are_reported() -> None:
    runner = FakeRunner(make(queue_length=8), steps=2760, epochs=15)
    SwAVScheduleHook(freeze_steps=5005, queue_start_epoch=15).before_train(runner)
    assert 'frozen for the whole run' in runner.warnings[0]
    assert 'never used' in runner.warnings[1]
    with pytest.raises(ConfigError, match='shorter than a batch'):
        SwAVScheduleHook().before_train(FakeRunner(make(queue_length=3)))
