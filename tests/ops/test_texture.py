"""LBP must equal scikit-image exactly, ties and borders included."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from skimage.feature import local_binary_pattern

from rsmm.errors import ConfigError, DataError
from rsmm.ops import lbp
from rsmm.ops.texture import METHODS


def reference(images: np.ndarray, P: int, R: float, method: str) -> np.ndarray:
    flat = images.reshape(-1, *images.shape[-2:])
    codes = np.stack([local_binary_pattern(image, P, R, method) for image in flat])
    return codes.reshape(images.shape)


def golden_image() -> np.ndarray:
    i, j = np.mgrid[:8, :8]
    return (37 * i + 11 * j**2) % 256


def test_golden_codes() -> None:
    expected = """
        16  8  7  4  2 10 17  4
         6  8  8 17  0 11 17  4
         6  8 17  2  0 17  1 17
         6  8 17  0 16 17  0 17
         6 17  1  0 15 17 13 17
         2  2  0 16 17  2 13  0
         0  0 13 11 17  1 17  0
         7  9  8 17  1 10 17  5"""
    codes = lbp(golden_image(), P=16, R=2, method='uniform')
    np.testing.assert_array_equal(codes, np.array(expected.split(), int).reshape(8, 8))
    histogram = [10, 4, 5, 0, 3, 1, 4, 2, 6, 1, 2, 2, 0, 3, 0, 1, 3, 17]
    assert np.bincount(codes.ravel(), minlength=18).tolist() == histogram
    small = lbp(golden_image(), P=8, R=1)
    assert small.sum() == 297
    assert small[0].tolist() == [8, 4, 4, 3, 1, 7, 1, 4]


def test_simple_patterns() -> None:
    constant = lbp(np.full((7, 7), 50))
    assert constant[3, 3] == 16
    assert constant[0, 0] == constant[6, 6] == 5
    ramp = np.tile(np.arange(9) * 10, (9, 1))
    assert lbp(ramp)[4, 4] == 9
    bright = np.zeros((7, 7), np.uint8)
    bright[3, 3] = 255
    assert lbp(bright)[3, 3] == 0


integer_images = arrays.arrays(
    dtype=st.sampled_from([np.uint8, np.uint16, np.int16, np.int32, np.int64, np.uint64, bool]),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 20), st.integers(1, 20)),
)
few_values = arrays.arrays(
    dtype=np.uint8, shape=(2, 19, 23), elements=st.integers(0, 3), fill=st.nothing()
)


@pytest.mark.parametrize('method', METHODS)
@settings(max_examples=60, deadline=None)
@given(
    images=st.one_of(integer_images, few_values),
    points=st.integers(2, 24),
    radius=st.sampled_from([0.5, 1, 1.5, 2, 2.3, 3, 4.7]),
)
def test_equals_skimage(method: str, images: np.ndarray, points: int, radius: float) -> None:
    np.testing.assert_array_equal(
        lbp(images, points, radius, method), reference(images, points, radius, method)
    )


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('value', [0, 1, 7, 37, 255, 60_000, 2**24 + 1, -(2**40) - 1])
def test_flat_images_are_decided_by_rounding(method: str, value: int) -> None:
    """Every comparison is a tie; the answer differs from row to row."""
    images = np.full((1, 70, 40), value)
    np.testing.assert_array_equal(lbp(images, 16, 2, method), reference(images, 16, 2, method))


@pytest.mark.parametrize('shape', [(100, 64, 64), (2, 3, 33, 130), (1, 300, 300)])
def test_equals_skimage_across_blocks(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    smooth = rng.integers(0, 40, shape, dtype=np.uint8)
    smooth[..., : shape[-2] // 2, :] //= 8
    np.testing.assert_array_equal(lbp(smooth), reference(smooth, 16, 2, 'uniform'))


def test_threads_do_not_share_buffers() -> None:
    rng = np.random.default_rng(3)
    images = [rng.integers(0, 256, (12, 64, 64), dtype=np.uint8) for _ in range(16)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lbp, images))
    for image, codes in zip(images, together, strict=True):
        np.testing.assert_array_equal(codes, lbp(image))


def test_inference_mode_leaves_no_trace() -> None:
    images = torch.randint(0, 256, (3, 29, 31))
    with torch.inference_mode():
        codes = lbp(images)
    assert torch.equal(lbp(images), codes)


def test_tensor_in_tensor_out() -> None:
    image = golden_image()
    codes = lbp(torch.from_numpy(image)[None])
    assert codes.dtype == torch.int32
    np.testing.assert_array_equal(codes[0].numpy(), lbp(image))


def test_memory_layout_does_not_matter() -> None:
    image = np.random.default_rng(1).integers(0, 9, (30, 40)).astype('>u2')
    expected = lbp(image.astype(np.uint16))
    for same in (image, np.asfortranarray(image), np.flip(np.flip(image, 0).copy(), 0)):
        np.testing.assert_array_equal(lbp(same), expected)
    np.testing.assert_array_equal(lbp(image.T), lbp(np.ascontiguousarray(image.T)))


@pytest.mark.parametrize('shape', [(0, 4, 4), (2, 0, 4), (3, 5, 0), (0, 0)])
def test_empty_input(shape: tuple[int, ...]) -> None:
    assert lbp(np.zeros(shape, np.uint8)).shape == shape
    assert lbp(torch.zeros(shape, dtype=torch.int16)).shape == shape


FRACTIONS = [np.full((4, 4), 0.5), torch.rand(4, 4), np.full((4, 4), 0.5, '>f4')]
NOT_FINITE = [np.full((4, 4), np.nan), torch.full((4, 4), torch.inf), np.zeros((4, 4), complex)]


@pytest.mark.parametrize('images', FRACTIONS + NOT_FINITE)
def test_values_that_are_no_whole_numbers_are_refused(images) -> None:
    with pytest.raises(DataError, match='integers'):
        lbp(images)


@pytest.mark.parametrize('dtype', ['f2', 'f4', 'f8', '>f8'])
def test_whole_numbers_stored_as_floats_are_integers(dtype: str) -> None:
    image = golden_image()
    np.testing.assert_array_equal(lbp(image.astype(dtype)), lbp(image))
    np.testing.assert_array_equal(lbp(image.tolist()), lbp(image))
    codes = lbp(torch.from_numpy(image).to(torch.bfloat16))
    assert torch.equal(codes, torch.from_numpy(lbp(image)))


def test_bad_arguments() -> None:
    image = golden_image()
    with pytest.raises(ConfigError, match="'uniforme'"):
        lbp(image, method='uniforme')
    with pytest.raises(ConfigError, match='P=40'):
        lbp(image, P=40)
    with pytest.raises(DataError, match=r'\(8,\)'):
        lbp(image[0])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
@pytest.mark.parametrize('method', METHODS)
def test_cuda_equals_cpu(method: str) -> None:
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 20, (40, 64, 64), dtype=np.uint8))
    images[:10] //= 16
    for P, R in ((16, 2), (8, 1), (24, 3)):
        assert torch.equal(lbp(images.cuda(), P, R, method).cpu(), lbp(images, P, R, method))
