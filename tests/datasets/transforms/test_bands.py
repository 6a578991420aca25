import numpy as np
import pytest

from rsmm.datasets.transforms.bands import SelectBands
from rsmm.errors import DataError
from rsmm.sensors import RGB, band_order
from tests.datasets.chips import s2_chip

EUROSAT = band_order('eurosat')


def test_select_by_name_in_any_spelling():
    chip = s2_chip(0)
    out = SelectBands(['B8A', 'b2'])({'img': chip, 'bands': EUROSAT})
    assert out['bands'] == ('B8A', 'B02')
    assert out['img'].flags.c_contiguous
    assert out['img'].dtype == chip.dtype
    np.testing.assert_array_equal(out['img'], chip[..., [12, 1]])


def test_selecting_twice_and_by_order_name():
    chip = s2_chip(0)
    native = SelectBands('sentinel2-l1c')({'img': chip, 'bands': EUROSAT})
    back = SelectBands('eurosat')(dict(native))
    np.testing.assert_array_equal(back['img'], chip)
    assert SelectBands('s2-rgb')(native)['bands'] == RGB


def test_missing_band_names_the_file():
    with pytest.raises(DataError, match='a/b.tif: band B8A not among B04') as error:
        SelectBands(['B8A'])({'img': s2_chip(0)[..., :1], 'bands': ('B04',), 'img_path': 'a/b.tif'})
    assert 'Ask for bands' in str(error.value)
