"""Footprint losses: values by hand, limits, masks, weights."""

import math

import pytest
import torch

from rsmm.errors import ConfigError
from rsmm.models.losses.footprint import FootprintLoss
from rsmm.models.losses.functional.footprint import (
    binary_cross_entropy,
    binary_focal,
    soft_dice,
    soft_jaccard,
)

P = torch.tensor([[0.8, 0.3], [0.5, 0.1]], dtype=torch.float64)
Y = torch.tensor([[1.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
LOGITS = torch.logit(P)


def test_values_by_hand():
    entropy = -(math.log(0.8) + math.log(0.7) + math.log(0.5) + math.log(0.9)) / 4
    assert binary_cross_entropy(LOGITS, Y).item() == pytest.approx(entropy)
    # sum p y = 1.3, sum p = 1.7, sum y = 2
    assert soft_jaccard(LOGITS, Y).item() == pytest.approx(1 - 1.3 / 2.4)
    assert soft_dice(LOGITS, Y).item() == pytest.approx(1 - 2.6 / 3.7, abs=1e-5)
    focal = -sum((1 - p) ** 2 * math.log(p) for p in (0.8, 0.7, 0.5, 0.9)) / 4
    assert binary_focal(LOGITS, Y).item() == pytest.approx(focal)


def test_golden_values_of_the_change_decoders():
    p = torch.tensor([0.9, 0.8, 0.2, 0.1], dtype=torch.float64)
    target = torch.tensor([1.0, 0, 1, 0], dtype=torch.float64)
    assert soft_dice(p.logit(), target, eps=1e-6) == pytest.approx(0.45, abs=1e-5)
    logits = torch.tensor([2.0, -1, 0.4], dtype=torch.float64)
    target = torch.tensor([1.0, 0, 1], dtype=torch.float64)
    assert binary_cross_entropy(logits, target) == pytest.approx(0.317735, abs=1e-5)


def test_focal_without_gamma_is_cross_entropy():
    torch.testing.assert_close(binary_focal(LOGITS, Y, gamma=0), binary_cross_entropy(LOGITS, Y))


@pytest.mark.parametrize('loss', [binary_cross_entropy, soft_jaccard, soft_dice, binary_focal])
def test_limits_and_masks(loss):
    sure = torch.where(Y > 0, 60.0, -60.0).double()
    assert loss(sure, Y).item() == pytest.approx(0, abs=1e-5)
    assert loss(-sure, Y).item() > 0.9
    mask = torch.tensor([[True, True], [False, False]])
    torch.testing.assert_close(loss(LOGITS, Y, mask), loss(LOGITS[:1], Y[:1]), atol=1e-5, rtol=0)
    nothing = torch.zeros_like(mask)
    assert math.isfinite(loss(LOGITS, Y, nothing).item())


@pytest.mark.parametrize('loss', [soft_jaccard, soft_dice])
def test_empty_target_and_prediction_cost_nothing(loss):
    empty = torch.full((2, 4, 4), -800.0, dtype=torch.float64)
    assert loss(empty, torch.zeros_like(empty)).item() == pytest.approx(0)


def test_half_precision_logits_are_summed_in_full():
    logits = torch.randn(2, 1, 96, 96, generator=torch.Generator().manual_seed(0)).bfloat16()
    target = (torch.rand(logits.shape, generator=torch.Generator().manual_seed(1)) > 0.9).byte()
    loss = FootprintLoss({'bce': 10, 'jaccard': 2.5, 'dice': 1, 'focal': 1})
    for name, value in loss(logits, target).items():
        torch.testing.assert_close(value, loss(logits.float(), target)[name])
    assert loss(logits.double(), target)['loss_bce'].dtype == torch.float64


def test_the_sum_runs_over_the_whole_batch():
    batch = torch.stack([LOGITS, -LOGITS]), torch.stack([Y, Y])
    single = [soft_jaccard(a, b).item() for a, b in zip(*batch, strict=True)]
    assert soft_jaccard(*batch).item() != pytest.approx(sum(single) / 2)


def test_baseline_weights():
    logits, target = LOGITS[None, None], Y[None, None]
    losses = FootprintLoss({'bce': 10, 'jaccard': 2.5})(logits, target)
    assert set(losses) == {'loss_bce', 'loss_jaccard'}
    torch.testing.assert_close(losses['loss_bce'], 10 * binary_cross_entropy(LOGITS, Y))
    torch.testing.assert_close(losses['loss_jaccard'], 2.5 * soft_jaccard(LOGITS, Y))


def test_channels_are_weighted_and_ignored_pixels_do_not_count():
    logits = torch.stack([LOGITS, LOGITS.flip(0)])[None]
    target = torch.stack([Y, Y])[None]
    both = FootprintLoss({'dice': 1}, (1.0, 0.5))(logits, target)['loss_dice']
    torch.testing.assert_close(both, soft_dice(LOGITS, Y) + 0.5 * soft_dice(LOGITS.flip(0), Y))
    target[..., 1, :] = 255
    part = FootprintLoss({'bce': 1}, (1.0, 0.0))(logits, target.byte())['loss_bce']
    torch.testing.assert_close(part, binary_cross_entropy(LOGITS[:1], Y[:1]))


def test_bad_settings():
    with pytest.raises(ConfigError, match=r"no loss term 'jacard'. Did you mean 'jaccard'"):
        FootprintLoss({'jacard': 1})
    with pytest.raises(ConfigError, match='2 channel weights'):
        FootprintLoss({'bce': 1}, (1, 1))(LOGITS[None, None], Y[None, None])
