import cv2
import numpy as np
import pytest
import rasterio
from PIL import Image

from rsmm.datasets.transforms.loading import LoadRaster
from rsmm.errors import DataError, DataNotFoundError
from rsmm.geo.band_names import described_bands
from rsmm.geo.raster import read_raster
from rsmm.sensors import RGB, band_order
from tests.datasets.chips import AFFINE, UTM, s2_chip, write_tif

EUROSAT = band_order('eurosat')


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.int16, np.float32])
@pytest.mark.parametrize('count', [1, 3, 4, 13])
def test_any_dtype_and_band_count(tmp_path, dtype, count):
    image = np.random.default_rng(0).integers(0, 200, (7, 9, count)).astype(dtype)
    if dtype == np.uint16:
        image[0, 0] = 60000
    path = write_tif(tmp_path / 'a.tif', image)
    out = LoadRaster()({'img_path': str(path)})
    assert out['img'].dtype == dtype
    np.testing.assert_array_equal(out['img'], image)
    assert out['img'].flags.c_contiguous
    assert out['img_shape'] == out['ori_shape'] == (7, 9)
    assert len(out['bands']) == count


def test_georeference_and_nodata_are_kept(tmp_path):
    path = write_tif(tmp_path / 'a.tif', s2_chip(0), nodata=0)
    out = LoadRaster()({'img_path': str(path)})
    assert out['nodata'] == 0
    assert rasterio.crs.CRS.from_wkt(out['crs']) == UTM
    assert out['transform'] == tuple(AFFINE)[:6]


def test_bands_by_name_and_order(tmp_path):
    chip = s2_chip(0)
    path = str(write_tif(tmp_path / 'a.tif', chip))
    out = LoadRaster(bands=['B8A', 'b4'])({'img_path': path, 'file_bands': EUROSAT})
    assert out['bands'] == ('B8A', 'B04')
    np.testing.assert_array_equal(out['img'], chip[..., [12, 3]])


def test_dataset_bands_give_way_to_the_transforms(tmp_path):
    path = str(write_tif(tmp_path / 'a.tif', s2_chip(0)))
    results = {'img_path': path, 'file_bands': EUROSAT, 'bands': ('B02',)}
    assert LoadRaster()(dict(results))['bands'] == ('B02',)
    assert LoadRaster(bands='s2-rgb')(dict(results))['bands'] == RGB


def test_names_without_declaration(tmp_path):
    grey = str(write_tif(tmp_path / 'a.tif', np.ones((4, 4, 2), np.uint16)))
    assert read_raster(grey)[1]['bands'] == ('BAND1', 'BAND2')
    colour = str(write_tif(tmp_path / 'b.tif', np.ones((4, 4, 3), np.uint8)))
    assert read_raster(colour)[1]['bands'] == ('R', 'G', 'B')
    named = str(write_tif(tmp_path / 'c.tif', np.ones((4, 4, 2), np.uint16), ('B8A', 'B4 (red)')))
    assert read_raster(named)[1]['bands'] == ('B8A', 'B04')


@pytest.mark.parametrize(
    ('texts', 'bands'),
    [
        (('B02', 'B03'), ('B02', 'B03')),
        (('B8A, 20 m', 'B09_60m'), ('B8A', 'B09')),
        (('B02', None), None),
        (('Band 1', 'Band 2'), None),
        ((), None),
    ],
)
def test_described_bands(texts, bands):
    assert described_bands(texts) == bands


def test_jpeg_pixels_equal_pillows(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    path = tmp_path / 'a.jpg'
    Image.fromarray(noise).save(path, quality=80)
    image, found = read_raster(path)
    np.testing.assert_array_equal(image, np.asarray(Image.open(path)))
    assert found == {'bands': ('R', 'G', 'B'), 'nodata': None, 'crs': None, 'transform': None}


def test_grey_jpeg_and_band_choice(tmp_path):
    ramp = np.tile(np.arange(64, dtype=np.uint8), (64, 1))
    assert cv2.imwrite(str(tmp_path / 'g.jpg'), ramp)
    assert read_raster(tmp_path / 'g.jpg')[0].shape == (64, 64, 1)
    assert cv2.imwrite(str(tmp_path / 'c.jpg'), np.dstack([ramp, ramp * 0, ramp * 0 + 200]))
    blue, found = read_raster(tmp_path / 'c.jpg', RGB, ('B02',))
    assert found['bands'] == ('B02',)
    assert abs(blue[..., 0].astype(int) - ramp).mean() < 20


def test_sixteen_bit_png_keeps_its_depth(tmp_path):
    image = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    assert cv2.imwrite(str(tmp_path / 'a.png'), image)
    out, found = read_raster(tmp_path / 'a.png')
    np.testing.assert_array_equal(out[..., 0], image)
    assert found['transform'] is None


def error_of(path, load=None, **results):
    """Text of the DataError that loading raises; it names the file."""
    with pytest.raises(DataError) as caught:
        (load or LoadRaster())({'img_path': str(path), **results})
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize('keep', [0.2, 0.6, 0.99])
def test_truncated_files(tmp_path, keep):
    tif = write_tif(tmp_path / 'a.tif', s2_chip(0))
    jpg = tmp_path / 'a.jpg'
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(jpg)
    for path in (tif, jpg):
        raw = path.read_bytes()
        path.write_bytes(raw[: int(keep * len(raw))])
        assert 'Download or copy it again' in error_of(path)


@pytest.mark.parametrize('name', ['a.jpg', 'a.tif'])
def test_absent_and_empty_files(tmp_path, name):
    with pytest.raises(DataNotFoundError, match='no such file'):
        LoadRaster()({'img_path': str(tmp_path / name)})
    (tmp_path / name).write_bytes(b'')
    error_of(tmp_path / name)


def test_twelve_bands(tmp_path):
    path = write_tif(tmp_path / 'a.tif', s2_chip(0)[..., :12])
    text = error_of(path, file_bands=EUROSAT)
    assert 'expected 13 bands (B01..B8A), found 12' in text


def test_swapped_order_is_named(tmp_path):
    native = band_order('sentinel2-l1c')
    path = write_tif(tmp_path / 'a.tif', s2_chip(0), native)
    text = error_of(path, file_bands=EUROSAT)
    assert ', '.join(native) in text
    assert ', '.join(EUROSAT) in text
    write_tif(path, s2_chip(0), EUROSAT)
    assert LoadRaster()({'img_path': str(path), 'file_bands': EUROSAT})['bands'] == EUROSAT


def test_other_size(tmp_path):
    path = write_tif(tmp_path / 'a.tif', s2_chip(0, size=60))
    assert 'expected 64x64 pixels, found 60x60' in error_of(path, file_shape=(64, 64))
    assert 'expected 32x32' in error_of(path, LoadRaster(shape=(32, 32)))


def test_missing_band(tmp_path):
    path = write_tif(tmp_path / 'a.tif', s2_chip(0))
    assert 'band B13' in error_of(path, LoadRaster(bands=['B13']), file_bands=EUROSAT)


def test_nan(tmp_path):
    image = np.ones((8, 8, 2), np.float32)
    image[2, 3, 1] = np.nan
    path = write_tif(tmp_path / 'a.tif', image)
    assert '1 of 128 values are NaN' in error_of(path)
    filled = LoadRaster(fill=-1)({'img_path': str(path)})['img']
    assert filled[2, 3, 1] == -1
    assert filled.dtype == np.float32
    assert filled.sum() == 128 - 2
    write_tif(path, image * np.nan)
    for load in (LoadRaster(), LoadRaster(fill=0)):
        assert 'all values are NaN' in error_of(path, load)


def test_all_nodata(tmp_path):
    image = np.full((8, 8, 3), 7, np.uint16)
    path = write_tif(tmp_path / 'a.tif', image, nodata=7)
    assert 'all values are nodata (7)' in error_of(path)
    write_tif(path, image)
    assert 'nodata (7)' in error_of(path, LoadRaster(nodata=7))
    image[5, 5, 1] = 8
    write_tif(path, image, nodata=7)
    filled = LoadRaster(fill=0)({'img_path': str(path)})['img']
    assert filled.sum() == 8
    assert filled.dtype == np.uint16


@pytest.mark.realdata
def test_real_tif(real_data):
    path = real_data / 'eurosat/tif/River/'
    for file in sorted(path.glob('*.tif')):
        image, found = read_raster(file, EUROSAT)
        with rasterio.open(file) as source:
            np.testing.assert_array_equal(image.transpose(2, 0, 1), source.read())
        assert image.dtype == np.uint16
        assert 'UTM zone' in found['crs']
        assert found['transform'][0] == pytest.approx(10, abs=0.1)


@pytest.mark.realdata
def test_real_rasters_with_odd_layouts(real_data):
    image, found = read_raster(real_data / 'rasters/RGB.byte.tif')
    assert image.dtype == np.uint8
    assert found['nodata'] == 0
    assert found['bands'] == ('R', 'G', 'B')
    image, _ = read_raster(real_data / 'rasters/L7_ETMs.tif')
    assert image.shape[2] == 6


@pytest.mark.realdata
def test_sidecars_bring_the_georeference_of_a_jpeg(real_data):
    scene = next((real_data / 'newcairo_s2').rglob('*2016*.jpg'))
    alone, found = read_raster(scene)
    assert found['crs'] is None
    assert found['transform'] is None
    beside, found = read_raster(scene, sidecars=True)
    assert 'UTM zone 36N' in found['crs']
    np.testing.assert_array_equal(alone, beside)
