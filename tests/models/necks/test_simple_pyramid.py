"""The simple pyramid, and a detector on an encoder of masked autoencoding."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from mmengine.registry import init_default_scope

from rsmm.apis.config import load_config
from rsmm.checkpoints.weights import load_weights
from rsmm.errors import CheckpointError, ConfigError
from rsmm.models.necks.simple_pyramid import MapNorm, SimplePyramid
from rsmm.registry import MODELS

CONFIGS = Path(__file__).parents[3] / 'configs'


@pytest.fixture(autouse=True, scope='module')
def scope():
    init_default_scope('rsmm')


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory) -> Path:
    """A masked autoencoder for 128 px as training saves it."""
    torch.manual_seed(3)
    mae = MODELS.build(load_config(CONFIGS / 'mae/mae_vit-tiny_20e_toy.py').model)
    mae.init_weights()
    path = tmp_path_factory.mktemp('mae') / 'mae.pth'
    torch.save({'state_dict': mae.state_dict(), 'meta': {}}, path)
    return path


def detector(checkpoint: Path | None = None, **options) -> torch.nn.Module:
    if checkpoint is not None:
        options['pretrained'] = str(checkpoint)
    config = load_config(CONFIGS / 'faster_rcnn/faster-rcnn_vit-tiny-mae_12e_toy.py', options)
    model = MODELS.build(copy.deepcopy(config.model))
    model.init_weights()
    return model


@pytest.mark.parametrize('levels', [4, 5, 6])
def test_levels_halve(levels: int) -> None:
    outputs = SimplePyramid(16, 8, levels)([torch.zeros(1), torch.randn(2, 16, 8, 12)])
    sizes = [(2, 8, 32 >> k, 48 >> k) for k in range(4)]
    assert [tuple(out.shape) for out in outputs[:4]] == sizes
    assert [out.shape[-2] for out in outputs[4:]] == [2, 1][: levels - 4]


def test_a_level_sees_its_place_only() -> None:
    pyramid = SimplePyramid(8, 8).eval()
    place = torch.zeros(1, 8, 9, 9)
    changed = place.clone()
    changed[..., 4, 4] = torch.randn(8)
    with torch.no_grad():
        difference = (pyramid([changed])[2] - pyramid([place])[2]).abs().sum(1)[0]
    # The 3 x 3 convolution spreads one pixel over its neighbours and no further.
    assert (difference[3:6, 3:6] > 0).any()
    difference[3:6, 3:6] = 0
    assert difference.max() == 0


def test_normalises_the_channels_of_each_pixel() -> None:
    normed = MapNorm(32)(torch.randn(2, 32, 3, 4) * 5 + 2)
    torch.testing.assert_close(normed.mean(1), torch.zeros(2, 3, 4), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        normed.std(1, unbiased=False), torch.ones(2, 3, 4), atol=1e-3, rtol=0
    )


def test_bad_settings() -> None:
    for arguments in ((16, 8, 3), (18, 8, 4)):
        with pytest.raises(ConfigError, match='four levels'):
            SimplePyramid(*arguments)


def test_every_weight_of_the_encoder_is_loaded(checkpoint: Path) -> None:
    state = torch.load(checkpoint, weights_only=True)['state_dict']
    model = detector()
    report = load_weights(model.backbone, state, prefix='backbone.')  # exact or an error
    assert not report.missing
    assert not report.unexpected
    assert not report.mismatched
    assert set(report.matched) == set(model.backbone.state_dict())
    loaded = detector(checkpoint).backbone
    for key, value in loaded.state_dict().items():
        if key == 'pos_embed':  # 8 x 8 patches to 16 x 16
            assert value.shape[1] == 257
            torch.testing.assert_close(value[:, 0], state['backbone.pos_embed'][:, 0])
        else:
            torch.testing.assert_close(value, state[f'backbone.{key}'], rtol=0, atol=0)


def test_another_encoder_is_refused(tmp_path: Path, checkpoint: Path) -> None:
    state = torch.load(checkpoint, weights_only=True)['state_dict']
    part = {k: v for k, v in state.items() if '.layers.5.' not in k}
    torch.save({'state_dict': part}, tmp_path / 'part.pth')
    with pytest.raises(CheckpointError, match='layers.5'):
        detector(tmp_path / 'part.pth')
    torch.save({'state_dict': {'encoder.weight': torch.zeros(2)}}, tmp_path / 'other.pth')
    with pytest.raises(CheckpointError, match='begins with'):
        detector(tmp_path / 'other.pth')


def test_frozen_encoder_gives_the_same_maps_in_training(checkpoint: Path) -> None:
    model = detector(checkpoint).train()
    image = torch.randn(1, 3, 128, 160)
    maps = model.extract_feat(image)
    assert [tuple(m.shape[-2:]) for m in maps[:2]] == [(32, 40), (16, 20)]
    torch.testing.assert_close(maps[2], model.extract_feat(image)[2], rtol=0, atol=0)
    sum(m.sum() for m in maps).backward()
    assert all(p.grad is None for p in model.backbone.parameters())
    free = detector(checkpoint, frozen_stages=-1).train()
    sum(m.square().sum() for m in free.extract_feat(image)).backward()
    assert free.backbone.layers[0].attn.qkv.weight.grad.abs().sum() > 0
