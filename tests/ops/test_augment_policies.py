"""Policies: what they hold, what a row of numbers makes of an image, and the published faults."""

from __future__ import annotations

import pytest
import torch

from rsmm.errors import ConfigError
from rsmm.ops.augment import cut_out
from rsmm.ops.augment_policies import (
    BIGEARTHNET,
    EUROSAT,
    GEOMETRIC,
    SANE,
    Policy,
    StrongAugment,
    cut_boxes,
    get_policy,
)

RNG = torch.Generator().manual_seed(0)


def draws(count: int, strong: StrongAugment) -> torch.Tensor:
    return torch.rand(count, strong.num_draws, generator=torch.Generator().manual_seed(3))


def only(policy: Policy, name: str) -> StrongAugment:
    """A policy whose one change is always drawn once."""
    chosen = tuple(change for change in policy.changes if change.name == name)
    assert len(chosen) == 1
    return StrongAugment(Policy(**{**vars(policy), 'changes': chosen, 'cut': 0}), num_ops=1)


@pytest.mark.parametrize(('policy', 'count'), [(SANE, 14), (EUROSAT, 14), (BIGEARTHNET, 15)])
def test_tables_have_their_rows(policy: Policy, count: int) -> None:
    assert len({change.name for change in policy.changes}) == len(policy.changes) == count


@pytest.mark.parametrize('bands', [1, 3, 4, 13])
def test_any_band_count_stays_in_range(bands: int) -> None:
    strong = StrongAugment(SANE)
    images = torch.rand(40, bands, 24, 24, generator=RNG)
    changed = strong(images, draws(40, strong))
    assert changed.shape == images.shape
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert not torch.isnan(changed).any()
    assert (changed - images).flatten(1).abs().amax(1).gt(0.01).float().mean() > 0.9


def test_batch_equals_one_by_one() -> None:
    strong = StrongAugment(SANE)
    images, numbers = torch.rand(30, 3, 16, 16, generator=RNG), draws(30, strong)
    alone = [strong(images[i : i + 1], numbers[i : i + 1]) for i in range(30)]
    # Equalising cuts to levels: where a level is on the edge, the last bit decides.
    assert (strong(images, numbers) - torch.cat(alone)).abs().gt(1e-5).float().mean() < 1e-3


def test_changes_are_drawn_alike_often() -> None:
    """With replacement: each change makes a fourteenth of the draws."""
    numbers = torch.rand(20000, generator=RNG)
    counts = torch.bincount((numbers * len(SANE.changes)).long(), minlength=14)
    assert (counts / 20000 - 1 / 14).abs().max() < 0.01


@pytest.mark.parametrize('name', ['rotate', 'shear_x', 'shear_y', 'translate_x', 'translate_y'])
def test_sane_moves_go_both_ways_and_published_ones_to_one_side(name: str) -> None:
    change = next(change for change in SANE.changes if change.name == name)
    values = change.values(torch.rand(2000, 2, generator=RNG))
    assert abs(values.mean()) < 0.1 * change.high
    assert values.min().item() == pytest.approx(-values.max().item(), abs=0.05 * change.high)
    published = next(
        change
        for change in BIGEARTHNET.changes
        if change.name == name.replace('translate', 'nudge')
    )
    values = published.values(torch.rand(2000, 2, generator=RNG))
    assert sorted(values.unique().tolist()) == pytest.approx([0, published.high])


def test_published_posterise_is_black_and_ours_keeps_four_bits() -> None:
    images = torch.rand(50, 3, 8, 8, generator=RNG)
    black = only(BIGEARTHNET, 'posterise')
    assert not black(images, draws(50, black)).any()
    ours = only(SANE, 'posterise')
    changed = ours(images, draws(50, ours))
    assert (changed - images).abs().max() <= 16 / 255
    assert changed.flatten(1).std(1).min() > 0.1


def test_share_of_published_views_with_a_black_posterise() -> None:
    """1 - (14/15)^3 = 18.7 %, as drawn with replacement."""
    position = [change.name for change in BIGEARTHNET.changes].index('posterise')
    numbers = torch.rand(20000, 3, generator=RNG)
    share = ((numbers * 15).long() == position).any(1).float().mean()
    assert share == pytest.approx(1 - (14 / 15) ** 3, abs=0.01)


def test_published_brightness_subtracts_and_contrast_multiplies() -> None:
    images = torch.full((1, 3, 8, 8), 0.8)
    for name, expected in (('add', 0.2), ('scale', 0.32)):
        one = only(BIGEARTHNET, name)
        assert one(images, draws(1, one)).unique().tolist() == pytest.approx([expected])


def test_published_nudge_moves_by_a_sixtieth_of_a_pixel() -> None:
    images = torch.rand(20, 3, 32, 32, generator=RNG)
    one = only(BIGEARTHNET, 'nudge_x')
    inner = (one(images, draws(20, one)) - images)[..., 1:-1]
    assert 0 < inner.abs().max() < 0.02


def test_published_box_is_shifted_inside_at_the_low_border_and_cut_at_the_high_one() -> None:
    numbers = torch.tensor([[0.5, 0.0, 0.0], [0.5, 1.0, 1.0]])  # a side of 8 of 32 pixels
    boxes = cut_boxes(numbers, (32, 32), 0.5, shifted=True)
    assert boxes[0].tolist() == [0, 0, 8, 8]  # nine pixels, the whole box
    assert boxes[1].tolist() == [28, 28, 32, 32]  # four of them in the image
    ours = cut_boxes(numbers, (32, 32), 0.5, shifted=False)
    assert ours[0].tolist() == [-4, -4, 3, 3]
    assert ours[1].tolist() == [28, 28, 35, 35]


def test_mean_share_cut_out() -> None:
    """Of a side s (a share of the image) s^2 / 4 sticks out on average, so s (1 - s / 4) is cut."""
    numbers = torch.rand(4000, 3, generator=RNG)
    images = torch.zeros(4000, 1, 32, 32)
    boxes = cut_boxes(numbers, (32, 32), 0.5, shifted=False)
    share = cut_out(images, boxes, torch.ones(4000, 1)).mean().item()
    side = numbers[:, 0].double() / 2
    expected = (side * (1 - side / 4)).square().mean().item()
    assert share == pytest.approx(expected, rel=0.05)


def test_published_fill_needs_colours() -> None:
    strong = StrongAugment(EUROSAT)
    with pytest.raises(ConfigError, match='4 bands'):
        strong(torch.rand(2, 4, 8, 8), draws(2, strong))


def test_photometric_part_moves_nothing() -> None:
    kept = SANE.photometric()
    assert not {change.name for change in kept.changes} & set(GEOMETRIC)
    assert kept.cut == 0
    image = torch.zeros(1, 3, 9, 9)
    image[..., 4, 4] = 1  # the one bright pixel stays the extreme
    strong = StrongAugment(kept, num_ops=1)
    numbers = torch.rand(60, strong.num_draws, generator=RNG)
    changed = strong(image.expand(60, -1, -1, -1), numbers)
    difference = (changed - changed[..., :1, :1]).abs().amax(1).flatten(1)
    moved = difference.amax(1) > 1e-6
    assert (difference.argmax(1)[moved] == 40).all()
    assert moved.float().mean() > 0.8


@pytest.mark.parametrize(
    ('policy', 'table'), [('sain', None), ('reference', None), ('sane', 'eurosat')]
)
def test_unknown_policies(policy: str, table: str | None) -> None:
    with pytest.raises(ConfigError, match='policy'):
        get_policy(policy, table)
