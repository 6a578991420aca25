"""The first stages of an EfficientNet: timm's outputs, what is frozen, what is refused."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from rsmm.errors import ConfigError
from rsmm.registry import MODELS

NAME = 'tf_efficientnet_lite0'


def build(**settings) -> nn.Module:
    torch.manual_seed(0)
    return MODELS.build(dict(type='EfficientNetTrunk', model_name=NAME, **settings))


def test_gives_what_timm_gives_at_that_stage() -> None:
    torch.manual_seed(0)
    whole, trunk = timm.create_model(NAME).eval(), build().eval()
    images = torch.randn(2, 3, 64, 64)
    x = whole.bn1(whole.conv_stem(images))
    for stage in whole.blocks[:5]:
        x = stage(x)
    (found,) = trunk(images)
    assert found.shape == (2, 112, 4, 4)
    assert torch.allclose(found, x, atol=1e-5)
    assert sum(p.numel() for p in trunk.parameters()) == 700_768


@pytest.mark.parametrize('frozen', [0, 1, 3, 5])
def test_frozen_stages_do_not_move(frozen: int) -> None:
    trunk = build(frozen_stages=frozen).train()
    before = {name: value.clone() for name, value in trunk.state_dict().items()}
    output = trunk(torch.randn(2, 3, 32, 32))[0]
    assert output.requires_grad == (frozen < 5)
    if frozen < 5:
        output.square().sum().backward()
    moved = {
        name for name, value in trunk.state_dict().items() if not torch.equal(value, before[name])
    }
    learnt = {name for name, p in trunk.named_parameters() if p.grad is not None}
    still = ['stem.', 'norm.'] * bool(frozen) + [f'stages.{i}.' for i in range(frozen)]
    assert not [name for name in moved | learnt if name.startswith(tuple(still))]
    assert all(any(name.startswith(f'stages.{i}.') for name in moved) for i in range(frozen, 5))
    assert ('stem.weight' in learnt) == (frozen == 0)


def test_with_fixed_norms_an_image_does_not_see_its_batch() -> None:
    images = torch.randn(4, 3, 32, 32)
    for fixed in (True, False):
        trunk = build(norm_eval=fixed).train()
        alone, together = trunk(images[:2])[0], trunk(images)[0][:2]
        assert torch.allclose(alone, together, atol=1e-5) == fixed


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(stages=8), 'has 7 stages'),
        (dict(stages=2, frozen_stages=3), 'frozen_stages=3'),
    ],
)
def test_stages_that_do_not_exist(settings: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(**settings)


def test_other_families_are_refused() -> None:
    with pytest.raises(ConfigError, match='has no conv_stem'):
        MODELS.build(dict(type='EfficientNetTrunk', model_name='resnet18'))
