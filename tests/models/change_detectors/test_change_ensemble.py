"""Ensembles of change detectors: mean of probabilities, every member trains, predictions."""

from __future__ import annotations

import pytest
import torch

from rsmm.errors import ConfigError
from rsmm.models.layers.symmetry import symmetry, undo_symmetry
from rsmm.registry import MODELS

MEMBER = dict(
    type='ChangeDetector',
    backbone=dict(type='FCEncoder'),
    decode_head=dict(type='FCDecoder', in_channels='auto'),
    loss=dict(type='ChangeLoss', terms=dict(bce=1.0, dice=1.0)),
    threshold=0.3,
    keep_logits=True,
)


def ensemble(count: int = 3):
    torch.manual_seed(0)
    return MODELS.build(dict(type='ChangeEnsemble', members=[MEMBER] * count)).eval()


def dates(size: int = 20) -> list[torch.Tensor]:
    return [torch.randn(2, 3, size, size), torch.randn(2, 3, size, size)]


def labelled(inputs: list[torch.Tensor]) -> list:
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    label = (inputs[0][:, :1] > 0).long()
    return [SegDataSample(gt_sem_seg=PixelData(data=one)) for one in label]


@torch.no_grad()
def test_probabilities_are_averaged() -> None:
    model, inputs = ensemble(), dates()
    own = [member.logits(inputs) for member in model.members]
    assert (own[0] - own[1]).abs().max() > 1e-3  # other weights
    expected = torch.stack(own).sigmoid().mean(0)
    torch.testing.assert_close(model.logits(inputs).sigmoid(), expected)


def test_sure_members_stay_finite() -> None:
    model = ensemble(2)
    for member, value in zip(model.members, (200.0, 190.0), strict=True):
        member.logits = lambda inputs, value=value: torch.full((1, 1, 2, 2), value)
    logits = model.logits(dates())
    assert logits.isfinite().all()
    assert (logits >= 190).all()


def test_every_member_trains_and_its_losses_are_named() -> None:
    model, inputs = ensemble(2).train(), dates(32)
    losses = model(inputs, labelled(inputs), 'loss')
    assert set(losses) == {'0.loss_bce', '0.loss_dice', '1.loss_bce', '1.loss_dice'}
    total, _ = model.parse_losses(losses)
    torch.testing.assert_close(total, sum(losses.values()))
    total.backward()
    assert all(p.grad is not None for member in model.members for p in member.parameters())


@torch.no_grad()
def test_predictions_follow_the_first_threshold() -> None:
    model, inputs = ensemble(2), dates()
    samples = model(inputs, labelled(inputs), 'predict')
    for sample, logits in zip(samples, model.logits(inputs), strict=True):
        assert torch.equal(sample.pred_sem_seg.data.bool(), logits.sigmoid() > 0.3)
        assert torch.equal(sample.seg_logits.data, logits)


@pytest.mark.parametrize('members', [[MEMBER], [MEMBER, dict(type='FCEncoder')]])
def test_wrong_members(members: list) -> None:
    with pytest.raises(ConfigError, match='two or more ChangeDetectors'):
        MODELS.build(dict(type='ChangeEnsemble', members=members))


@torch.no_grad()
@pytest.mark.parametrize('size', [(20, 20), (20, 33)])
def test_views_make_an_ensemble_that_knows_no_direction(size: tuple[int, int]) -> None:
    model = MODELS.build(dict(type='ChangeEnsemble', members=[MEMBER] * 2, views=8)).eval()
    inputs = [torch.randn(1, 3, *size) for _ in range(2)]
    logits = model.logits(inputs)
    assert logits.shape == (1, 1, *size)
    for code in range(8):
        turned = model.logits([symmetry(date, code) for date in inputs])
        torch.testing.assert_close(undo_symmetry(turned, code), logits)
    model.views = 1
    assert (model.logits(inputs) - logits).abs().max() > 1e-3


def test_another_number_of_views() -> None:
    with pytest.raises(ConfigError, match='views=3 is not one of'):
        MODELS.build(dict(type='ChangeEnsemble', members=[MEMBER] * 2, views=3))
