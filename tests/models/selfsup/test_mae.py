"""Masked autoencoders: golden losses, any band count and size, pictures of what is redrawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

from rsmm.apis.config import load_config
from rsmm.errors import ConfigError
from rsmm.models.selfsup.mae_pictures import reconstruct
from rsmm.registry import MODELS
from rsmm.studies.figures.reconstruction import draw_reconstructions
from rsmm.toy.writers.aerial import write_urban_tiles
from rsmm.toy.writers.eurosat import write_eurosat

CONFIGS = Path(__file__).parents[3] / 'configs'
TOY, MS = (CONFIGS / f'mae/mae_vit-tiny_{name}.py' for name in ('20e_toy', '100e_eurosat-ms'))

TARGET = torch.tensor([[1.0, 2, 3, 4], [0, 0, 0, 0], [2, 2, 4, 4], [5, 1, 5, 1]])[None]
PREDICTED = torch.tensor([[1.0, 1, 1, 1], [0, 0, 0, 1], [2, 2, 2, 2], [0, 0, 0, 0]])[None]
MASK = torch.tensor([[1.0, 0, 1, 1]])


@pytest.fixture(autouse=True)
def scope() -> None:
    init_default_scope('rsmm')


def head(norm_pix: bool):
    loss = dict(type='mmpretrain.PixelReconstructionLoss', criterion='L2')
    settings = dict(type='mmpretrain.MAEPretrainHead', patch_size=2, in_channels=1)
    return MODELS.build(dict(**settings, norm_pix=norm_pix, loss=loss))


@pytest.mark.parametrize(('norm_pix', 'expected'), [(False, 6.166667), (True, 2.416667)])
def test_golden_loss(norm_pix: bool, expected: float) -> None:
    module = head(norm_pix)
    loss = module.loss(PREDICTED, module.unpatchify(TARGET), MASK)
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_golden_loss_of_all_patches() -> None:
    assert head(False).loss_module(PREDICTED, TARGET).item() == 4.6875


def build(path: Path, size: int, bands: int, norm_pix: bool = False):
    """A small MAE of a config at another size and band count."""
    config = load_config(path)
    patch = config.model.head.patch_size
    settings = config.model
    settings.data_preprocessor = dict(type='MultiSpectralPreprocessor')
    settings.backbone.update(img_size=size, patch_cfg=dict(in_channels=bands))
    settings.backbone.arch.num_layers = 2
    settings.neck.update(num_patches=(size // patch) ** 2, in_chans=bands, decoder_depth=1)
    settings.head.update(in_channels=bands, norm_pix=norm_pix)
    torch.manual_seed(0)
    module = MODELS.build(settings)
    module.init_weights()
    return module


@pytest.mark.parametrize(
    ('size', 'bands', 'visible'), [(224, 3, 49), (256, 3, 64), (256, 13, 64), (128, 1, 16)]
)
def test_any_size_and_band_count(size: int, bands: int, visible: int) -> None:
    model = build(TOY, size, bands)
    images = torch.randn(2, bands, size, size)
    latent, mask, _ = model.backbone(images)
    assert latent.shape == (2, visible + 1, 192)
    assert mask.sum(1).tolist() == [(size // 16) ** 2 - visible] * 2
    loss = model(images, None, mode='loss')['loss']
    loss.backward()
    gradient = model.backbone.patch_embed.projection.weight.grad
    assert (gradient.abs().sum((0, 2, 3)) > 0).all()  # of every band
    assert torch.isfinite(loss)


def test_features_come_from_all_patches() -> None:
    """``mask=False`` still masks in mmpretrain; features must not depend on chance."""
    model = build(TOY, 64, 3).eval()
    images = torch.randn(1, 3, 64, 64)
    first, second = model.extract_feat(images), model.extract_feat(images)
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert first[-1].shape == (1, 17, 192)


@pytest.mark.parametrize('norm_pix', [False, True])
def test_visible_patches_stay_and_the_error_is_the_loss(norm_pix: bool) -> None:
    model = build(TOY, 64, 5, norm_pix).eval()
    images = torch.randn(3, 5, 64, 64) * 3 + 1
    torch.manual_seed(4)
    result = reconstruct(model, images)
    assert result.images.shape == images.shape
    hidden = result.mask[:, None].expand_as(images)
    assert torch.equal(result.images[~hidden], images[~hidden])
    assert result.mask.float().mean() == 0.75
    assert not torch.allclose(result.images[hidden], images[hidden])
    expected = torch.stack(
        [((a - b) ** 2)[m].mean() for a, b, m in zip(result.images, images, hidden, strict=True)]
    )
    torch.testing.assert_close(result.error, expected)
    if not norm_pix:
        torch.manual_seed(4)
        loss = model(images, None, mode='loss')['loss']
        torch.testing.assert_close(result.error.mean(), loss)


def test_a_perfect_model_draws_the_image() -> None:
    """Patches go back to where they came from, with normalised targets too."""
    for norm_pix in (False, True):
        model = build(TOY, 64, 3, norm_pix).eval()
        images = torch.randn(2, 3, 64, 64)
        target = model.head.construct_target(images)
        model.neck.forward = lambda latent, restore, target=target: target
        result = reconstruct(model, images)
        torch.testing.assert_close(result.images, images, atol=1e-4, rtol=1e-4)
        assert result.error.max() < 1e-6


def test_figure(tmp_path: Path) -> None:
    from PIL import Image

    write_urban_tiles(tmp_path / 'urban', tiles_per_city=6)
    options = {'data_root': str(tmp_path / 'urban/tiles')}
    out = tmp_path / 'figures/page.png'
    errors = draw_reconstructions(TOY, 'random', out, num=2, options=options)
    assert errors.shape == (2,)
    first = np.asarray(Image.open(out))
    draw_reconstructions(TOY, 'random', out, num=2, options=options)
    np.testing.assert_array_equal(np.asarray(Image.open(out)), first)
    assert (first[..., :3] == 225).all(-1).mean() > 0.1  # hidden patches
    with pytest.raises(ConfigError, match='SwAV'):
        draw_reconstructions(CONFIGS / 'swav/swav_resnet18_20e_toy.py', 'random', out)


def test_figure_of_thirteen_bands(tmp_path: Path) -> None:
    write_eurosat(tmp_path / 'eurosat', chips_per_class=1, products=('ms',))
    options = {'data_root': str(tmp_path / 'eurosat/tif')}
    out = tmp_path / 'page.png'
    errors = draw_reconstructions(MS, 'random', out, 2, ('B08', 'B04', 'B03'), options=options)
    assert np.isfinite(errors).all()
    assert out.stat().st_size > 10_000
