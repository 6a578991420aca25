"""Dense models: U-TAE's attention, padding and dates; losses against other implementations."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from rsmm.apis import build_model
from rsmm.errors import ConfigError
from rsmm.models.backbones.utae import UTAE, masked_group_norm, weigh_dates
from rsmm.models.losses.class_map import multiclass_dice
from rsmm.registry import MODELS
from tests.models.change_detectors.test_change_detector import count, data_sample


@pytest.fixture(scope='module')
def utae() -> UTAE:
    torch.manual_seed(0)
    return UTAE(4, encoder=(16, 16, 32), decoder=(16, 16, 32), heads=8, width=64).eval()


def series(dates: int = 5):
    torch.manual_seed(1)
    days = torch.tensor([[0, 5, 40, 90, 200], [3, 10, 70, 0, 0]])[:, :dates]
    valid = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]).bool()[:, :dates]
    return torch.randn(2, dates, 4, 16, 16), days, valid


def test_published_size() -> None:
    with torch.device('meta'):
        head = MODELS.build(dict(type='OutputHead', in_channels=32, num_classes=20))
        assert count(UTAE(10)) + count(head) == 1_087_220


def test_padding_changes_nothing(utae: UTAE) -> None:
    images, days, valid = series()
    full = utae(images, days, valid)[0]
    alone = utae(images[1:, :3], days[1:, :3], valid[1:, :3])[0]
    torch.testing.assert_close(full[1:], alone, atol=1e-5, rtol=1e-5)
    images[1, 3:], days[1, 3:] = 1e6, 99
    torch.testing.assert_close(utae(images, days, valid)[0], full)


def test_order_of_dates_is_told_by_the_days_alone(utae: UTAE) -> None:
    images, days, valid = series()
    shuffled = torch.tensor([3, 0, 4, 2, 1])
    found = utae(images[:1, shuffled], days[:1, shuffled], valid[:1])[0]
    torch.testing.assert_close(
        found, utae(images[:1], days[:1], valid[:1])[0], atol=1e-5, rtol=1e-4
    )
    later = utae(images[:1], days[:1] + 60, valid[:1])[0]
    assert not torch.allclose(later, found, atol=1e-3)


def test_a_single_date(utae: UTAE) -> None:
    images, days, valid = series()
    assert torch.isfinite(utae(images[:, :1], days[:, :1], valid[:, :1])[0]).all()


@pytest.mark.parametrize('size', [(1, 1), (8, 8), (13, 17)])
def test_series_of_any_size(size: tuple[int, int], repo_root) -> None:
    model = build_model(repo_root / 'configs/pastis/utae_100e_pastis.py').train()
    sample = data_sample(torch.zeros(1, *size, dtype=torch.long))
    sample.set_metainfo({'days': (3, 9, 80)})
    batch = {'inputs': [torch.randn(3, 10, *size)], 'data_samples': [sample]}
    batch = model.data_preprocessor(batch)
    assert torch.isfinite(model(**batch, mode='loss')['loss_ce'])
    assert model(**batch, mode='predict')[0].pred_sem_seg.data.shape == (1, *size)


def test_too_small_images_are_named(utae: UTAE) -> None:
    images, days, valid = series()
    with pytest.raises(ConfigError, match=r'4x16 pixels, but 3 levels need 8 .* multiple=8'):
        utae(images[..., :4, :], days, valid)


def test_attention_sums_to_one_over_real_dates(utae: UTAE) -> None:
    _, days, valid = series()
    _, attention = utae.attention(torch.randn(2, 5, 32, 4, 4), days, valid)
    assert attention.shape == (8, 2, 5, 4, 4)
    torch.testing.assert_close(attention.sum(dim=2), torch.ones(8, 2, 4, 4))
    assert not attention[:, 1, 3:].any()


def test_weights_of_one_date_pick_it() -> None:
    x = torch.randn(2, 3, 8, 6, 6)
    attention = torch.zeros(4, 2, 3, 2, 2)
    attention[:, :, 1] = 1
    torch.testing.assert_close(weigh_dates(x, attention), x[:, 1])


def test_masked_group_norm_equals_torch_without_a_mask() -> None:
    norm = torch.nn.GroupNorm(4, 8)
    torch.nn.init.normal_(norm.weight)
    x = torch.randn(5, 7, 8)
    expected = norm(x.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(masked_group_norm(x, torch.ones(5, 7).bool(), norm), expected)


def test_series_preprocessor_pads_and_normalises() -> None:
    step = MODELS.build(dict(type='SeriesPreprocessor', mean=[10.0, 20.0], std=[2.0, 4.0]))
    inputs = [torch.full((2, 2, 4, 4), 12), torch.full((1, 2, 4, 4), 24)]
    samples = [data_sample(torch.zeros(1, 4, 4)) for _ in inputs]
    samples[0].set_metainfo({'days': (1, 9)})
    samples[1].set_metainfo({'days': (4,)})
    found = step({'inputs': inputs, 'data_samples': samples})['inputs']
    assert found['images'].shape == (2, 2, 2, 4, 4)
    assert found['images'][:, :, :, 0, 0].tolist() == [[[1, -2], [1, -2]], [[7, 1], [0, 0]]]
    assert found['days'].tolist() == [[1, 9], [4, 0]]
    assert found['valid'].tolist() == [[True, True], [True, False]]


def test_unet_on_thirteen_bands_of_any_backbone() -> None:
    for backbone in (
        dict(type='ResNetPyramid', depth=18, in_channels=13),
        dict(type='mmpretrain.ResNet', depth=18, in_channels=13, out_indices=(0, 1, 2, 3)),
    ):
        model = MODELS.build(
            dict(
                type='RasterSegmentor',
                backbone=backbone,
                decode_head=dict(type='UNetDecoder', in_channels='auto', num_classes=5),
                loss=dict(type='SegLoss'),
            )
        ).eval()
        assert model(torch.randn(1, 13, 40, 56)).shape == (1, 5, 40, 56)
        samples = model(torch.randn(2, 13, 32, 32), mode='predict')
        assert samples[1].pred_sem_seg.data.shape == (1, 32, 32)


@pytest.mark.parametrize('weighted', [False, True])
def test_cross_entropy_equals_torch(weighted: bool) -> None:
    weight = [0.5, 2.0, 1.0] if weighted else None
    logits, target = torch.randn(2, 3, 5, 5), torch.randint(0, 3, (2, 5, 5))
    target[:, 0] = 255
    loss = MODELS.build(dict(type='SegLoss', class_weight=weight))(logits, target)['loss_ce']
    tensor = None if weight is None else torch.tensor(weight)
    expected = F.cross_entropy(logits, target, tensor, ignore_index=255)
    torch.testing.assert_close(loss, expected)


def test_losses_without_a_pixel_are_zero() -> None:
    loss = MODELS.build(dict(type='SegLoss', dice=1.0, class_weight=[1.0, 1.0]))
    found = loss(torch.randn(1, 2, 4, 4), torch.full((1, 4, 4), 255))
    assert found['loss_ce'] == 0
    assert torch.isfinite(found['loss_dice'])


def test_dice_limits() -> None:
    target = torch.randint(0, 3, (2, 6, 6))
    sure = 50 * F.one_hot(target, 4).movedim(-1, 1).float()
    assert multiclass_dice(sure, target) == pytest.approx(0, abs=1e-5)
    wrong = 50 * F.one_hot((target + 1) % 3, 4).movedim(-1, 1).float()
    assert multiclass_dice(wrong, target) == pytest.approx(1, abs=1e-5)
