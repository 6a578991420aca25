import colorsys

import cv2
import numpy as np
import pytest

from rsmm.datasets.transforms.photometric import (
    RandomBandDrop,
    RandomBrightnessContrast,
    RandomColorJitter,
    RandomGaussianBlur,
    RandomGray,
    affine_values,
    band_means,
    gaussian_blur,
    saturate,
    shift_hue,
    to_dtype,
)
from rsmm.errors import DataError
from rsmm.sensors import RGB, band_order

DTYPES = (np.uint8, np.uint16, np.int16, np.float32)
ANY = [
    RandomBrightnessContrast(prob=1),
    RandomGaussianBlur(prob=1),
    RandomBandDrop(drop_prob=0.5),
]
COLOUR = [RandomColorJitter(prob=1), RandomGray(prob=1)]


def noise(dtype, count, size=16, top=None):
    top = top or {np.uint8: 255, np.uint16: 65535, np.int16: 32767, np.float32: 1}[dtype]
    values = np.random.default_rng(0).random((size, size, count)) * top
    return values.astype(dtype)


@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('count', [1, 2, 3, 4, 5, 13])
@pytest.mark.parametrize('transform', ANY, ids=lambda t: type(t).__name__)
def test_any_band_count_and_dtype(transform, count, dtype):
    np.random.seed(1)
    image = noise(dtype, count)
    out = transform({'img': image.copy()})['img']
    assert out.shape == image.shape
    assert out.dtype == dtype
    assert count == 1 or not np.array_equal(out, image)


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize('transform', COLOUR, ids=lambda t: type(t).__name__)
def test_colour_transforms_follow_names_not_positions(transform, dtype):
    image = noise(dtype, 3)
    np.random.seed(2)
    straight = transform({'img': image.copy(), 'bands': RGB})['img']
    np.random.seed(2)
    turned = transform({'img': image[..., ::-1].copy(), 'bands': RGB[::-1]})['img']
    np.testing.assert_allclose(
        turned[..., ::-1].astype(float),
        straight.astype(float),
        atol=1e-5 if dtype == np.float32 else 1,
    )
    assert straight.dtype == dtype


@pytest.mark.parametrize('transform', COLOUR, ids=lambda t: type(t).__name__)
@pytest.mark.parametrize('bands', [band_order('eurosat'), ('B08', 'B04', 'B03'), ('B04',)])
def test_colour_transforms_refuse_other_bands(transform, bands):
    image = noise(np.uint8, len(bands))
    with pytest.raises(DataError, match='expected a colour image') as error:
        transform({'img': image, 'bands': bands, 'img_path': 'a.tif'})
    assert 'a.tif' in str(error.value)


@pytest.mark.parametrize('transform', ANY + COLOUR, ids=lambda t: type(t).__name__)
def test_probability_zero_changes_nothing(transform):
    image = noise(np.uint8, 3)
    before, transform.prob = transform.prob, 0
    try:
        out = transform({'img': image, 'bands': RGB})['img']
    finally:
        transform.prob = before
    assert out is image


@pytest.mark.parametrize('transform', ANY + COLOUR, ids=lambda t: type(t).__name__)
def test_seed_decides(transform):
    def draw(seed):
        np.random.seed(seed)
        return transform({'img': noise(np.uint16, 3), 'bands': RGB})['img']

    np.testing.assert_array_equal(draw(5), draw(5))


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.int16])
def test_overflow_saturates(dtype):
    info = np.iinfo(dtype)
    image = np.array([[[info.max], [info.max // 2], [info.min]]], dtype)
    out = affine_values(image, 3.0, 0.0)
    assert out.ravel().tolist() == [info.max, info.max, info.min]
    assert affine_values(image, 1.0, -1e6).ravel().tolist() == [info.min] * 3


def test_affine_values_round_to_nearest():
    image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    for factor, shift in ((0.37, 5.2), (1.9, -31.0)):
        wanted = np.clip(np.rint(image.astype(float) * factor + shift), 0, 255)
        assert abs(affine_values(image, factor, shift) - wanted).max() <= 1
    wide = image.astype(np.uint16) * 200
    wanted = np.clip(np.rint(wide * 0.37), 0, 65535)
    assert abs(affine_values(wide, 0.37, 0.0) - wanted).max() <= 1


@pytest.mark.parametrize('dtype', DTYPES)
def test_band_means(dtype):
    image = noise(dtype, 5)
    np.testing.assert_allclose(band_means(image), image.mean((0, 1), dtype=float), rtol=1e-6)


def test_contrast_keeps_the_mean_and_brightness_scales_it():
    image = noise(np.float32, 7)
    np.random.seed(0)
    out = RandomBrightnessContrast(0, 0.5, prob=1)({'img': image.copy()})['img']
    np.testing.assert_allclose(band_means(out), band_means(image), rtol=1e-5)
    assert abs(out.std() / image.std() - 1) > 0.05
    out = RandomBrightnessContrast(0.5, 0, prob=1)({'img': image.copy()})['img']
    ratio = out / image
    np.testing.assert_allclose(ratio, ratio[0, 0, 0], rtol=1e-4)


def test_blur_keeps_bands_apart():
    image = np.zeros((15, 15, 13), np.uint16)
    image[7, 7, 4] = 10000
    out = gaussian_blur(image, 1.5)
    assert (np.delete(out, 4, axis=2) == 0).all()
    assert float(out[..., 4].sum()) == pytest.approx(10000, rel=0.01)
    single = cv2.GaussianBlur(image[..., 4].astype(np.float32), (9, 9), 1.5)
    assert abs(out[..., 4] - single).max() <= 1


def test_band_drop_keeps_at_least_one_band():
    for seed in range(20):
        np.random.seed(seed)
        out = RandomBandDrop(drop_prob=1.0, fill=0)({'img': noise(np.uint16, 4) + 1})['img']
        assert (out.reshape(-1, 4).max(0) > 0).sum() == 1


def test_band_drop_fills_with_the_mean():
    image = noise(np.float32, 3)
    np.random.seed(0)
    out = RandomBandDrop(drop_prob=1.0)({'img': image.copy()})['img']
    flat = [np.ptp(out[..., band]) == 0 for band in range(3)]
    assert sum(flat) == 2
    for band in np.flatnonzero(flat):
        assert out[0, 0, band] == pytest.approx(image[..., band].mean(), rel=1e-5)


def test_luma():
    red, grey = np.zeros((1, 1, 3), np.uint8), np.full((1, 1, 3), 90, np.uint8)
    red[..., 0] = 200
    assert saturate(red, 0).ravel().tolist() == [60] * 3
    assert saturate(red[..., ::-1], 0, (2, 1, 0)).ravel().tolist() == [60] * 3
    np.testing.assert_array_equal(saturate(grey, 1.7), grey)
    np.testing.assert_array_equal(saturate(noise(np.uint16, 3), 1), noise(np.uint16, 3))


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.float32])
def test_hue_against_colorsys(dtype):
    image = noise(dtype, 3, size=6)
    top = float(image.max())
    turned = shift_hue(image, 0.2)
    for before, after in zip(image.reshape(-1, 3), turned.reshape(-1, 3), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*(before / top).tolist())
        wanted = np.array(colorsys.hsv_to_rgb((hue + 0.2) % 1, saturation, value)) * top
        np.testing.assert_allclose(after, wanted, atol=0.02 * top)


def test_hue_wraps_and_zero_keeps():
    image = noise(np.uint8, 3)
    # Hue and saturation pass through 8 bits.
    for again in (shift_hue(image, 0.0), shift_hue(shift_hue(image, 0.4), -0.4)):
        difference = abs(again.astype(int) - image)
        assert difference.mean() < 1.5
        assert difference.max() <= 12
    red = np.array([[[250, 0, 0]]], np.uint8)
    assert shift_hue(red, 1 / 3).ravel().argmax() == 1
    assert shift_hue(red, -1 / 3).ravel().argmax() == 2


def test_to_dtype_rounds_and_clips():
    values = np.array([-3.0, 1.5, 2.5, 70000.0])
    assert to_dtype(values, np.uint16).tolist() == [0, 2, 2, 65535]
    assert to_dtype(values, np.float32).tolist() == values.tolist()
