"""Counting parameters and multiply-adds."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rsmm.apis.complexity import config_complexity, input_bands, model_complexity
from rsmm.errors import ConfigError


class Tiny(nn.Module):
    """A convolution (8 x 5 x 3 x 3 and bias) and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(5, 8, 3, padding=1)
        self.head = nn.Linear(8, 4)
        self.conv.bias.requires_grad_(False)

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).mean((2, 3)))


def test_hand_count():
    found = model_complexity(Tiny().train(), (5, 10, 12))
    assert found.params == 5 * 8 * 9 + 8 + 8 * 4 + 4
    assert found.trainable == found.params - 8
    assert found.parts == {
        'conv': (368, 5 * 8 * 9 * 120),
        'head': (36, 32),
    }
    assert found.flops == 5 * 8 * 9 * 120 + 32
    assert found.activations == 8 * 120 + 4
    assert '5 x 10 x 12' in found.table()


def test_counting_leaves_the_model_in_its_mode():
    model = Tiny().train()
    model_complexity(model, (5, 8, 8))
    assert model.training


def test_resnet18_of_any_band_count(repo_root):
    """11,176,512 parameters without the classifier of 10 classes."""
    rgb = config_complexity(repo_root / 'configs/eurosat/resnet18_finetune-12e_eurosat-rgb.py')
    assert rgb.shape == (3, 64, 64)
    assert rgb.params == 11_176_512 + 5_130
    assert rgb.parts['backbone'][0] == 11_176_512


def test_each_band_costs_the_first_convolution(repo_root):
    """32 kernels of 3 x 3 weights per band, at stride 2."""
    rgb = config_complexity(repo_root / 'configs/eurosat/resnet18_scratch-12e_eurosat-rgb.py')
    bands = config_complexity(repo_root / 'configs/eurosat/resnet18_scratch-12e_eurosat-ms.py')
    assert bands.shape == (13, 64, 64)
    assert bands.params - rgb.params == 10 * 32 * 9
    assert bands.flops - rgb.flops == 10 * 32 * 9 * 32 * 32


def test_part_and_shape(repo_root):
    config = repo_root / 'configs/quickstart/1_pretrain_moco.py'
    found = config_complexity(config, (32, 32), part='backbone')
    assert found.shape == (3, 32, 32)
    assert found.params == 11_176_512
    with pytest.raises(ConfigError, match="no part called 'spine'.*backbone"):
        config_complexity(config, part='spine')


def test_wrong_input_is_explained():
    with pytest.raises(ConfigError, match='cannot run on an input of .*--shape'):
        model_complexity(Tiny(), (3, 8, 8))
    with pytest.raises(ConfigError, match='no convolution'):
        input_bands(nn.Linear(3, 4))
