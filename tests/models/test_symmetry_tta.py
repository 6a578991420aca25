"""Test-time augmentation over the symmetries of the square."""

from __future__ import annotations

import copy

import pytest
import torch

from rsmm.errors import ConfigError
from rsmm.models.layers.symmetry import symmetry, undo_symmetry
from rsmm.registry import MODELS

PREPROCESSOR = dict(type='MultiSpectralPreprocessor', mean=[0.0] * 3, std=[1.0] * 3)
CHANGE = dict(
    type='ChangeDetector',
    backbone=dict(type='FCEncoder'),
    decode_head=dict(type='FCDecoder', in_channels='auto'),
    loss=dict(type='ChangeLoss', terms=dict(bce=1.0)),
    keep_logits=True,
    data_preprocessor=PREPROCESSOR,
)
CLASSES = dict(
    type='RasterSegmentor',
    backbone=dict(type='ResNetPyramid', depth=18, in_channels=3, base_channels=4, stem_channels=4),
    decode_head=dict(type='UNetDecoder', in_channels='auto', num_classes=5),
    loss=dict(type='SegLoss'),
    keep_logits=True,
    data_preprocessor=PREPROCESSOR,
)


def wrapped(module: dict, **settings):
    torch.manual_seed(0)
    tta = dict(type='SymmetryTTA', module=copy.deepcopy(module), **settings)
    return MODELS.build(tta).eval()


def batch(module: dict, height: int = 32, width: int = 64) -> dict:
    torch.manual_seed(1)
    images = torch.randn(2, 2, 3, height, width)
    inputs = [list(pair) for pair in images] if module is CHANGE else list(images[:, 0])
    if module is CHANGE:
        inputs = [images[:, 0], images[:, 1]]
    return {'inputs': inputs, 'data_samples': None}


def logits_of(samples: list) -> torch.Tensor:
    return torch.stack([sample.seg_logits.data for sample in samples])


@pytest.mark.parametrize('module', [CHANGE, CLASSES], ids=['change', 'classes'])
@pytest.mark.parametrize('views', [1, 2, 4, 8])
@torch.no_grad()
def test_the_mean_probability_of_the_views(module, views) -> None:
    model = wrapped(module, views=views)
    data = batch(module)
    ready = model.module.data_preprocessor(copy.deepcopy(data))['inputs']
    activation = torch.sigmoid if module is CHANGE else lambda x: x.softmax(1)
    expected = 0
    for code in range(views):
        turned = [symmetry(x, code) for x in ready] if module is CHANGE else symmetry(ready, code)
        expected += activation(undo_symmetry(model.module.logits(turned), code)) / views
    found = logits_of(model.test_step(data))
    torch.testing.assert_close(activation(found), expected, atol=1e-5, rtol=1e-4)
    plain = activation(model.module.logits(ready))
    assert ((plain - expected).abs().max() > 1e-4) == (views > 1)


@pytest.mark.parametrize('code', range(1, 8))
@torch.no_grad()
def test_a_turned_image_gets_the_turned_map(code) -> None:
    model = wrapped(CLASSES)
    straight = batch(CLASSES, 32, 32)
    turned = {**straight, 'inputs': [symmetry(image, code) for image in straight['inputs']]}
    torch.testing.assert_close(
        logits_of(model.test_step(turned)),
        symmetry(logits_of(model.test_step(straight)), code),
        atol=1e-4,
        rtol=1e-4,
    )


def test_what_it_cannot_turn_is_refused() -> None:
    with pytest.raises(ConfigError, match='views=3 is not one of'):
        wrapped(CLASSES, views=3)
    classifier = dict(
        type='mmpretrain.ImageClassifier',
        backbone=dict(type='mmpretrain.LeNet5'),
        data_preprocessor=PREPROCESSOR,
    )
    with pytest.raises(ConfigError, match='maps no single images or pairs'):
        wrapped(classifier)
