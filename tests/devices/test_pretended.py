"""No family mixes devices: each gives the same losses and predictions on a pretended GPU."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from rsmm.engine.runner import Runner
from rsmm.ops.texture import lbp
from tests.families import FAMILIES, experiment, losses_of
from tests.models.semisup.tables import CASES, FRAMES, batch, build, total
from tests.pretend_device import DEVICE, OnDevice, pretended_device, to_device


@pytest.fixture(scope='module')
def toys(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp('toys')


def test_mixing_is_an_error_here() -> None:
    """Else the tests below could not fail."""
    with pretended_device():
        there, here = torch.ones(3, device='cuda'), torch.ones(3)
        assert there.is_cuda
        assert isinstance(there + 1, OnDevice)
        assert (there * 2).cpu().tolist() == [2, 2, 2]
        assert there.mul_(here.to(DEVICE) * 3).sum().item() == 9
        with pytest.raises(RuntimeError, match='of the CPU on the device'):
            there + here
        with pytest.raises(RuntimeError, match='of the CPU on the device'):
            torch.nn.functional.linear(there, here)
        with pytest.raises(RuntimeError, match='a generator of the CPU'):
            torch.rand(3, generator=torch.Generator(), device='cuda')
        with pytest.raises((TypeError, RuntimeError)):
            there.numpy()


@pytest.mark.parametrize('family', FAMILIES)
def test_family_has_the_same_losses(family: str, toys: Path) -> None:
    _, loader, model = experiment(family, toys)
    data = next(iter(loader))
    there = copy.deepcopy(model)
    torch.manual_seed(0)
    _, expected = losses_of(model, data)
    torch.manual_seed(0)
    with pretended_device():
        _, found = losses_of(to_device(there), data)
        assert all(isinstance(value, OnDevice) for value in found.values() if value.requires_grad)
        found = {name: value.cpu() for name, value in found.items()}
    torch.testing.assert_close(dict(found), dict(expected), rtol=1e-4, atol=1e-5)


PREDICT = ('classification', 'deformable-detr', 'faster-rcnn', 'segmentation', 'change', 'series')


@pytest.mark.parametrize('family', [*PREDICT, 'footprints', 'fixmatch', 'st-fixmatch'])
def test_family_predicts(family: str, toys: Path) -> None:
    """Predictions come, and leave the device where the family hands them out as arrays."""
    config, _, model = experiment(family, toys)
    test = config.test_dataloader
    test.update(num_workers=0, persistent_workers=False)
    data = next(iter(Runner.build_dataloader(test, seed=0)))
    there = copy.deepcopy(model).eval()
    with torch.no_grad():
        expected = model.eval().test_step(data)
        with pretended_device():
            found = to_device(there).test_step(data)
    assert len(found) == len(expected) > 0


@pytest.mark.parametrize('method', ['default', 'ror', 'uniform', 'nri_uniform'])
def test_texture(method: str) -> None:
    images = torch.randint(0, 256, (2, 3, 24, 24), dtype=torch.uint8)
    with pretended_device():
        found = lbp(images.to(DEVICE), method=method).cpu()
    assert torch.equal(found, lbp(images, method=method))


@pytest.mark.parametrize('frame', FRAMES)
@pytest.mark.parametrize(
    ('rule', 'many'), [case for case in CASES if case[0] != 'VATRule'], ids=lambda case: str(case)
)
def test_rule_has_the_same_losses(rule: str, many: bool, frame: str) -> None:
    """Three steps: what a rule remembers of one is on the device in the next.

    VAT is left out: it differentiates within its loss, which a pretended device cannot.
    """
    model, there = (build(frame, rule, many) for _ in range(2))
    for step in range(3):
        torch.manual_seed(step)
        inputs, samples = batch(many, step)
        expected = total(model.loss(inputs, samples)).detach()
        torch.manual_seed(step)
        with pretended_device():
            to_device(there)
            inputs, samples = batch(many, step)
            found = total(there.loss(*_moved(inputs, samples))).detach().cpu()
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def _moved(inputs: dict, samples: dict) -> tuple[dict, dict]:
    return (
        {name: images.to(DEVICE) for name, images in inputs.items()},
        {name: [sample.to(DEVICE) for sample in rows] for name, rows in samples.items()},
    )
