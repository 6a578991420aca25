"""The stem of small convolutions: shapes, gradients, in the place of a patch convolution."""

from __future__ import annotations

import pytest
import torch
from mmengine.registry import init_default_scope
from mmpretrain.models import VisionTransformer

from rsmm.errors import ConfigError
from rsmm.models.layers.conv_stem import ConvStem


@pytest.mark.parametrize(('patch', 'bands'), [(2, 3), (4, 13), (8, 3)])
def test_one_token_a_patch(patch: int, bands: int) -> None:
    stem = ConvStem(bands, 32, patch, patch)
    assert stem(torch.rand(2, bands, 32, 32)).shape == (2, 32, 32 // patch, 32 // patch)


def test_stands_in_a_vision_transformer() -> None:
    init_default_scope('rsmm')
    arch = dict(embed_dims=32, num_layers=1, num_heads=2, feedforward_channels=64)
    network = VisionTransformer(
        arch, img_size=32, patch_size=8, patch_cfg=dict(conv_type='rsmm.ConvStem')
    )
    network(torch.rand(2, 3, 32, 32))[0].sum().backward()
    assert isinstance(network.patch_embed.projection, ConvStem)
    assert all(p.grad is not None for p in network.patch_embed.parameters())


@pytest.mark.parametrize(('patch', 'stride'), [(8, 4), (6, 6), (1, 1)])
def test_patches_it_cannot_make(patch: int, stride: int) -> None:
    with pytest.raises(ConfigError, match='ConvStem'):
        ConvStem(3, 32, patch, stride)
