import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rsmm.datasets.transforms.scaling import (
    ScaleMeanStd,
    ScaleMinMax,
    ScaleQuantile,
    ToReflectance,
    stretch,
)
from rsmm.errors import ConfigError, DataError


def run(transform, image, bands=None, nodata=None):
    return transform({'img': image, 'bands': bands, 'nodata': nodata})['img']


def pixel(*values):
    return np.array(values, np.uint16).reshape(1, 1, -1)


def test_golden_mean_std_of_bigearthnet():
    out = run(ScaleMeanStd(stats='bigearthnet'), pixel(1000, 1000, 1000), ('B04', 'B03', 'B02'))
    assert out.dtype == np.uint8
    assert out.ravel().tolist() == [166, 169, 190]


def test_golden_fixed_limits_of_seco():
    scale = ScaleMinMax(limits=([0, 2, 3], [129, 103, 88]), out='uint8')
    rows = [
        ((64, 2, 3), (126, 0, 0)),
        ((129, 50, 40), (255, 121, 111)),
        ((200, 0, 88), (255, 0, 255)),
    ]
    for values, expected in rows:
        assert tuple(run(scale, pixel(*values)).ravel()) == expected


@given(
    hnp.arrays(np.uint16, (4, 4, 2), elements=st.integers(0, 65535)),
    st.integers(0, 65534),
    st.integers(1, 65535),
)
def test_truncation_is_exact_for_integers(image, low, span):
    expected = np.clip((image.astype(np.int64) - low) * 255, 0, 255 * span) // span
    np.testing.assert_array_equal(stretch(image, low, low + span, 'uint8'), expected)


def test_min_max_over_image_or_band():
    image = np.array([[[0, 1000], [10, 3000]]], np.uint16)
    whole = run(ScaleMinMax(), image)
    np.testing.assert_allclose(whole.ravel(), [0, 1 / 3, 1 / 300, 1], rtol=1e-6)
    each = run(ScaleMinMax(scope='band'), image)
    np.testing.assert_array_equal(each.ravel(), [0, 0, 1, 1])
    assert whole.dtype == each.dtype == np.float32


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.int16, np.float32])
def test_extremes_do_not_wrap(dtype):
    top = 1e4 if dtype == np.float32 else np.iinfo(dtype).max
    bottom = 0 if dtype != np.int16 else -32768
    image = np.array([[[bottom], [top]]], dtype)
    np.testing.assert_array_equal(run(ScaleMinMax(), image).ravel(), [0, 1])
    assert run(ScaleMinMax(limits=(5, 6)), image).ravel().tolist() == [0, 1]


def test_flat_image_becomes_zero_not_nan():
    for scale in (ScaleMinMax(), ScaleMinMax('band'), ScaleQuantile()):
        out = run(scale, np.full((4, 4, 3), 7, np.uint16))
        np.testing.assert_array_equal(out, np.zeros((4, 4, 3)))


def test_nodata_takes_no_part_in_the_limits():
    image = np.full((3, 3, 2), 100, np.uint16)
    image[0, 0] = 0
    image[2, 2] = 200
    out = run(ScaleMinMax(), image, nodata=0)
    assert out[1, 1, 0] == 0
    assert run(ScaleMinMax(), image)[1, 1, 0] == 0.5
    results = ScaleMinMax()({'img': image, 'nodata': 0})
    assert results['nodata'] is None


def test_quantiles_ignore_outliers():
    image = np.arange(1000, dtype=np.float32).reshape(20, 50, 1)
    image[0, 0] = 1e9
    out = run(ScaleQuantile(0.1, 0.9), image)
    values = np.sort(image.ravel())
    low, high = np.quantile(values, [0.1, 0.9])
    assert out[10, 0, 0] == pytest.approx((500 - low) / (high - low), rel=1e-5)
    assert (out.min(), out.max()) == (0, 1)
    two = np.dstack([image, image * 10])
    each = run(ScaleQuantile(), two)
    np.testing.assert_allclose(each[..., 0], each[..., 1], atol=1e-6)
    whole = run(ScaleQuantile(scope='image'), two)
    assert whole[..., 0].mean() < whole[..., 1].mean()


def test_reflectance():
    image = np.array([[[0, 1000, 11000]]], np.uint16)
    np.testing.assert_allclose(run(ToReflectance(), image).ravel(), [0, 0.1, 1.1])
    shifted = run(ToReflectance(offset=-1000), image)
    np.testing.assert_allclose(shifted.ravel(), [-0.1, 0, 1.0], atol=1e-7)
    assert shifted.dtype == np.float32


@pytest.mark.parametrize(
    'build',
    [
        lambda: ScaleMinMax(scope='pixel'),
        lambda: ScaleMinMax(out='int8'),
        lambda: ScaleQuantile(0.9, 0.1),
        lambda: ScaleMeanStd(),
        lambda: ScaleMeanStd(mean=[1.0]),
        lambda: ScaleMeanStd(mean=[1.0], std=[1.0], stats='eurosat'),
    ],
)
def test_bad_settings(build):
    with pytest.raises(ConfigError):
        build()


def test_statistics_of_unknown_bands():
    with pytest.raises(DataError, match='B10'):
        run(ScaleMeanStd(stats='bigearthnet'), pixel(1), ('B10',))
