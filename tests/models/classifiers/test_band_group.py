"""SACo's probe."""

from __future__ import annotations

import pytest
import torch
from mmengine.model import BaseDataPreprocessor
from mmpretrain.structures import DataSample

from rsmm.errors import ConfigError
from rsmm.models.classifiers.band_group import BandGroupClassifier, lbp_histogram
from rsmm.ops import lbp


def build(**kwargs) -> BandGroupClassifier:
    torch.manual_seed(0)
    return BandGroupClassifier(
        backbone=dict(type='mmpretrain.ResNet', depth=18),
        num_classes=10,
        data_preprocessor=BaseDataPreprocessor(),
        **kwargs,
    )


def test_published_sizes() -> None:
    assert sum(p.numel() for p in build().fc.parameters()) == 5_130
    assert sum(p.numel() for p in build(texture=True, compat='reference').fc.parameters()) == 7_210


def test_histogram_golden() -> None:
    image = (37 * torch.arange(8)[:, None] + 11 * torch.arange(8) ** 2) % 256
    codes = lbp(image)[None, None]
    expected = [10, 4, 5, 0, 3, 1, 4, 2, 6, 1, 2, 2, 0, 3, 0, 1, 3, 17]
    assert lbp_histogram(codes, 18)[0].tolist() == expected
    assert lbp_histogram(codes, 16)[0].sum() == 64 - 20


@pytest.mark.parametrize('compat', [None, 'reference'])
def test_only_the_linear_layer_learns(compat: str | None) -> None:
    model = build(texture=True, compat=compat).train()
    assert not any(m.training for m in model.backbone.modules())
    before = {k: v.clone() for k, v in model.backbone.state_dict().items()}
    samples = [DataSample().set_gt_label(i) for i in (1, 2)]
    images = torch.rand(2, 13, 64, 64)
    model(images, samples, mode='loss')['loss'].backward()
    assert model.fc.weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in model.backbone.parameters())
    assert all(torch.equal(v, before[k]) for k, v in model.backbone.state_dict().items())
    out = model(images, samples, mode='predict')
    torch.testing.assert_close(out[0].pred_score.sum(), torch.tensor(1.0))


def test_default_does_not_depend_on_the_batch() -> None:
    images = torch.rand(2, 13, 64, 64)
    for compat, same in ((None, True), ('reference', False)):
        model = build(texture=True, compat=compat).eval()
        alone, together = model.histogram(images[:1]), model.histogram(images)[:1]
        assert torch.equal(alone, together) is same


def test_unknown_compat() -> None:
    with pytest.raises(ConfigError, match='released'):
        build(compat='released')
