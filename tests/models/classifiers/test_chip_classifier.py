"""Chips enlarged before the network, eight views in prediction, sizes that grow by epoch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

from rsmm.datasets.transforms.geometry import dihedral
from rsmm.engine.hooks.input_size_hook import InputSizeHook
from rsmm.errors import ConfigError
from rsmm.models.classifiers.chip_classifier import symmetry
from rsmm.registry import MODELS


def classifier(**options):
    init_default_scope('rsmm')
    torch.manual_seed(0)
    settings = dict(
        type='ChipClassifier',
        data_preprocessor=dict(type='MultiSpectralPreprocessor'),
        backbone=dict(type='mmpretrain.ResNet', depth=18, base_channels=8, stem_channels=8),
        neck=dict(type='mmpretrain.GlobalAveragePooling'),
        head=dict(
            type='mmpretrain.LinearClsHead',
            num_classes=3,
            in_channels=64,
            loss=dict(type='mmpretrain.CrossEntropyLoss'),
        ),
    )
    return MODELS.build({**settings, **options}).eval()


def scores(model, images):
    with torch.no_grad():
        return torch.stack([sample.pred_score for sample in model.predict(images)])


@pytest.mark.parametrize('code', range(8))
def test_symmetries_are_those_of_training(code):
    image = np.arange(12).reshape(3, 4, 1)
    expected = torch.from_numpy(dihedral(image, code).copy()).permute(2, 0, 1)
    assert torch.equal(symmetry(torch.from_numpy(image).permute(2, 0, 1), code), expected)


def test_prediction_does_not_depend_on_the_orientation():
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    model = classifier(views=8, input_size=40)
    expected = scores(model, images)
    assert torch.allclose(expected.sum(dim=1), torch.ones(2), atol=1e-5)
    for code in range(8):
        assert torch.allclose(scores(model, symmetry(images, code)), expected, atol=1e-5)
    single = classifier(views=1, input_size=40)
    assert not torch.allclose(scores(single, images.flip(-1)), scores(single, images), atol=1e-5)


def test_views_average_probabilities():
    images = torch.randn(2, 3, 32, 32)
    single, four = classifier(views=1), classifier(views=4)
    mean = torch.stack([scores(single, symmetry(images, code)) for code in range(4)]).mean(dim=0)
    assert torch.allclose(scores(four, images), mean, atol=1e-6)


def test_images_are_enlarged():
    model, images = classifier(input_size=64), torch.randn(1, 3, 32, 32)
    assert model.extract_feat(images, stage='backbone')[0].shape[-2:] == (2, 2)
    model.input_size = None
    assert model.extract_feat(images, stage='backbone')[0].shape[-2:] == (1, 1)


def test_wrong_number_of_views():
    with pytest.raises(ConfigError, match='views=3'):
        classifier(views=3)


class Runner:
    def __init__(self, model):
        self.model, self.epoch = model, 0


def test_sizes_follow_the_epoch_and_validation_uses_the_models_own():
    runner = Runner(classifier(input_size=128))
    hook = InputSizeHook({'0': 64, '2': 96})
    hook.before_train(runner)
    seen = []
    for runner.epoch in (0, 1, 2, 5):
        hook.before_train_epoch(runner)
        seen.append(runner.model.input_size)
        hook.after_train_epoch(runner)
        assert runner.model.input_size == 128
    assert seen == [64, 64, 96, 96]


def test_sizes_that_cannot_be():
    with pytest.raises(ConfigError, match='first epoch'):
        InputSizeHook({3: 64})
    with pytest.raises(ConfigError, match='no input_size'):
        InputSizeHook({0: 64}).before_train(Runner(torch.nn.Identity()))
