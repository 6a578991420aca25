"""A convolutional network with an extra token, and labels read as the network will be used."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from rsmm.errors import ConfigError
from rsmm.models.semisup.batch import View
from rsmm.models.semisup.branch import batch_norms
from rsmm.registry import MODELS
from tests.models.semisup.tables import CLASSES, SIZE, batch, prepare, rule_config, total

WIDTH = 8


class Small(nn.Module):
    """A convolution, a batch norm; gives a tuple of maps as backbones do."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, WIDTH, 3)
        self.norm = nn.BatchNorm2d(WIDTH)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        return (self.norm(self.conv(x)).relu(),)


def token_net(kind: str) -> nn.Module:
    torch.manual_seed(0)
    return MODELS.build(
        dict(type='CNNExtraToken', network=Small(), embed_dims=WIDTH, extra_token=kind)
    )


def classifier(frame: str = 'SSLClassifier', rule: str = 'FixMatchRule', **changes) -> nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type=frame,
            backbone=dict(type='CNNExtraToken', network=Small(), embed_dims=WIDTH),
            head=dict(type='mmpretrain.LinearClsHead', num_classes=CLASSES, in_channels=WIDTH),
            rule=rule_config(rule, False),
            **changes,
        )
    )
    prepare(model.rule)
    return model.train()


def watch_labelling(model: nn.Module, rows: int = 8) -> list[tuple[torch.Tensor, bool]]:
    """Notes the logits of what is seen without gradient, and whether in training mode."""
    noted = []

    def note(head: nn.Module, _, logits: torch.Tensor) -> None:
        if not torch.is_grad_enabled() and len(logits) == rows:
            noted.append((logits.clone(), model.backbone.training))

    model.head.register_forward_hook(note)
    return noted


@pytest.mark.parametrize('kind', ['none', 'const', 'input'])
def test_starts_as_the_plain_network_pooled(kind: str) -> None:
    net, images = token_net(kind).eval(), torch.randn(4, 3, SIZE, SIZE)
    expected = net.network(images)[-1].mean((2, 3))
    given = torch.randn(4, WIDTH) if kind == 'input' else None
    found = net(images, given)
    assert torch.equal(found[-1], expected)
    assert len(found) == 1 + (kind != 'none')
    assert torch.equal(net(images, with_token=False)[-1], expected)
    if kind == 'input':
        assert_close(found[0], net.token_embed + given)


def test_token_and_features_meet() -> None:
    """Once the mixing has weights, each output depends on both inputs."""
    net = token_net('input').eval()
    nn.init.normal_(net.second.weight)
    images = torch.randn(2, 3, SIZE, SIZE, requires_grad=True)
    token = torch.randn(2, WIDTH, requires_grad=True)
    for output in net(images, token):
        gradients = torch.autograd.grad(output.square().sum(), (images, token), retain_graph=True)
        assert all(bool(gradient.any()) for gradient in gradients)


@pytest.mark.parametrize(
    ('kind', 'given', 'message'),
    [
        ('none', True, 'takes no metadata'),
        ('const', True, 'extra_token'),
        ('input', False, 'without an input token'),
        ('other', False, 'is not one of none, const, input'),
    ],
)
def test_metadata_and_token_must_fit(kind: str, given: bool, message: str) -> None:
    token = torch.zeros(1, WIDTH) if given else None
    with pytest.raises(ConfigError, match=message):
        token_net(kind)(torch.zeros(1, 3, SIZE, SIZE), token)


def test_width_must_be_the_networks() -> None:
    net = MODELS.build(dict(type='CNNExtraToken', network=Small(), embed_dims=WIDTH + 1))
    with pytest.raises(ConfigError, match='the network has 8 channels'):
        net(torch.zeros(2, 3, SIZE, SIZE))


def test_spatiotemporal_network_trains_and_predicts_without_a_place() -> None:
    model = classifier('STSSLClassifier')
    inputs, samples = batch(False, 0)
    total(model(inputs, samples, mode='loss')).backward()
    reached = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert {'backbone.network.conv.weight', 'teacher.backbone.network.conv.weight'} <= reached
    assert 'teacher.backbone.second.weight' in reached
    model.eval()
    assert len(model(inputs['weak'], mode='predict')) == len(inputs['weak'])


@pytest.mark.parametrize(('mode', 'training'), [('auto', False), ('eval', False), ('train', True)])
@pytest.mark.parametrize('frame', ['SSLClassifier', 'STSSLClassifier'])
def test_mode_in_which_weak_views_are_labelled(mode: str, training: bool, frame: str) -> None:
    model = classifier(frame, label_mode=mode)
    branch = model.branches()[0]
    seen = []
    branch.part('backbone').register_forward_hook(
        lambda module, _, __: seen.append((torch.is_grad_enabled(), module.training))
    )
    total(model(*batch(False, 0), mode='loss')).backward()
    assert [mode for gradient, mode in seen if not gradient] == [training]
    assert all(mode for gradient, mode in seen if gradient)
    assert branch.part('backbone').training


def test_labels_are_those_of_the_network_in_use() -> None:
    """The label of a weak view is what prediction says of it, whatever else is in the batch."""
    model = classifier()
    noted = watch_labelling(model)
    before = copy.deepcopy([norm.running_mean for norm in batch_norms(model.own_parts())])
    inputs, samples = batch(False, 0)
    model(inputs, samples, mode='loss')
    after = copy.deepcopy([norm.running_mean for norm in batch_norms(model.own_parts())])
    assert not torch.equal(before[0], after[0])  # by the views that are learned from
    model.eval()
    with torch.no_grad():
        expected = model.branches()[0].logits(View(inputs['weak'], torch.full((8, 3), torch.nan)))
    assert_close(noted[0][0], expected)


def test_without_batch_norms_the_mode_stays() -> None:
    """Transformers label in training mode, as published."""
    model = classifier()
    model.backbone.network.norm = nn.Identity()
    noted = watch_labelling(model)
    model(*batch(False, 0), mode='loss')
    assert noted[0][1]


def test_no_such_mode() -> None:
    with pytest.raises(ConfigError, match='label_mode'):
        classifier(label_mode='test')
