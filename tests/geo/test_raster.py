"""The one raster reader: names, markers, tags, place, formats, damage, and what a fuzzer finds."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from rasterio.control import GroundControlPoint
from rasterio.rpc import RPC

from rsmm.errors import DataError, DataNotFoundError, RsmmError
from rsmm.geo import raster_files
from rsmm.geo.band_names import FileBands, select_bands
from rsmm.geo.integrity import jpeg_end, png_fault
from rsmm.geo.missing import fill_missing, marker, missing_pixels
from rsmm.geo.place import to_map_by_points
from rsmm.geo.raster import open_raster, read_raster
from rsmm.geo.streaming import Stack
from rsmm.geo.windows import Window
from tests.raster_files import GAP, GAPS, PLACE, SIDE, scene, write

RGB8 = FileBands((None,) * 3, ('red', 'green', 'blue'), automatic=True)
RGBA8 = FileBands((None,) * 4, ('red', 'green', 'blue', 'alpha'), automatic=True)
PNG = FileBands((None,) * 3, ('red', 'green', 'blue'))
BGR = FileBands((None,) * 3, ('blue', 'green', 'red'))
PLAIN = FileBands((None,) * 3, ('gray', 'undefined', 'undefined'))
S2 = FileBands(('B02', 'B03', 'B04'), ('gray', 'undefined', 'undefined'))
VENDOR = FileBands(('Coastal Blue', 'Near-Infrared', 'Red'), ('undefined',) * 3)
HALF = FileBands(('B02', None, None), ('undefined',) * 3)


@pytest.mark.parametrize(
    ('file', 'request_', 'names', 'index'),
    [
        (S2, {}, 'B02 B03 B04', [0, 1, 2]),
        (S2, {'bands': 'R G B'}, 'R G B', [2, 1, 0]),
        (S2, {'order': 'B G R', 'bands': 'B04'}, 'B04', [2]),
        (S2, {'assume': 'B04 B03 B02', 'bands': 'B04 B03 B02'}, 'B04 B03 B02', [2, 1, 0]),
        (VENDOR, {'bands': 'R NIR'}, 'R NIR', [2, 1]),
        (VENDOR, {'bands': 'B08'}, 'B08', [1]),
        (RGB8, {'order': 'B02 B03 B04'}, 'B02 B03 B04', [0, 1, 2]),
        (RGB8, {'assume': 'B08 B04 B03'}, 'B08 B04 B03', [0, 1, 2]),
        (RGBA8, {'assume': 'R G B NIR'}, 'R G B NIR', [0, 1, 2, 3]),
        (RGBA8, {'assume': 'B02 B03 B04 B08'}, 'B02 B03 B04 B08', [0, 1, 2, 3]),
        (RGBA8, {'order': 'R G B'}, 'R G B', [0, 1, 2]),
        (RGBA8, {'bands': 'R G B', 'assume': 'R G B'}, 'R G B', [0, 1, 2]),
        (PNG, {'bands': 'B G R', 'assume': 'B G R'}, 'B G R', [2, 1, 0]),
        (BGR, {'bands': 'R G B', 'assume': 'R G B'}, 'R G B', [2, 1, 0]),
        (PLAIN, {}, 'BAND1 BAND2 BAND3', [0, 1, 2]),
        (PLAIN, {'assume': 'B04 B03 B02', 'bands': 'B02'}, 'B02', [2]),
        (HALF, {'order': 'B02 B03 B04'}, 'B02 B03 B04', [0, 1, 2]),
    ],
)
def test_bands_by_name(file: FileBands, request_: dict, names: str, index: list[int]) -> None:
    found = select_bands(file, 'x.tif', **{key: text.split() for key, text in request_.items()})
    assert found == (tuple(names.split()), index)


@pytest.mark.parametrize(
    ('file', 'request_', 'message'),
    [
        (S2, {'order': 'B04 B03 B02'}, 'names its bands B02, B03, B04, the dataset declares B04'),
        (S2, {'order': 'R G B'}, 'names its bands'),
        (S2, {'bands': 'B08', 'assume': 'B08'}, 'band B08 not among B02, B03, B04'),
        (S2, {'order': 'B02 B03'}, r'expected 2 bands \(B02, B03\), found 3'),
        (BGR, {'order': 'R G B'}, 'names its bands B, G, R'),
        (RGB8, {'assume': 'B02 B03 B04'}, 'which band is which cannot be told'),
        (PLAIN, {'bands': 'R'}, 'band R not among BAND1'),
        (PLAIN, {'assume': 'R G'}, 'expected 2 bands'),
        (HALF, {'order': 'B04 B03 B02'}, 'names its bands B02, [?], [?]'),
    ],
)
def test_bands_that_cannot_be_told_are_refused(file: FileBands, request_, message: str) -> None:
    with pytest.raises(DataError, match=message):
        select_bands(file, 'x.tif', **{key: text.split() for key, text in request_.items()})


@pytest.mark.parametrize(
    ('tag', 'dtype', 'value'),
    [
        (None, 'uint8', None),
        (-9999, 'uint8', None),
        (300, 'uint8', None),
        (0.5, 'int16', None),
        (np.nan, 'float32', None),
        (-np.inf, 'float64', np.finfo('float64').min),
        (-np.inf, 'float32', np.finfo('float32').min),
        (1e39, 'float32', np.finfo('float32').max),
        (-np.inf, 'int16', None),
        (255.0, 'uint8', 255),
    ],
)
def test_what_a_tag_stands_for(tag, dtype: str, value) -> None:
    assert marker(tag, dtype) == value


def test_a_measured_value_needs_all_bands_another_marker_one() -> None:
    image = np.array([[[0, 0], [0, 5], [7, 5], [7, 7]]], np.uint16)
    assert missing_pixels(image, 0).tolist() == [[True, False, False, False]]
    assert missing_pixels(image, 7).tolist() == [[False, False, True, True]]
    assert missing_pixels(image, (7, 0)).tolist() == [[False, False, True, True]]
    assert missing_pixels(image.astype('f4'), -1e30).tolist() == [[False] * 4]


def test_the_mean_of_what_is_there_fills_the_rest() -> None:
    image = np.array([[[1, 10], [3, 20], [99, 99]]], np.uint8)
    filled = fill_missing(image, np.array([[False, False, True]]))
    assert filled.tolist() == [[[1, 10], [3, 20], [2, 15]]]
    assert image[0, 2, 0] == 99
    assert fill_missing(image, None) is image
    assert not fill_missing(image, np.ones((1, 3), bool)).any()


@pytest.mark.parametrize('gap', GAPS)
@pytest.mark.parametrize('window', [None, Window(3, 2, 20, 99), Window(0, 0, 4, 4)])
def test_one_mask_for_whole_and_window(tmp_path: Path, gap: str, window) -> None:
    path = GAPS[gap](tmp_path / 'x.tif')
    image, found = read_raster(path, assume=('R', 'G', 'B'), window=window)
    expected = GAP if window is None else GAP[window.slices]
    assert image.shape[:2] == expected.shape
    if expected.any():
        np.testing.assert_array_equal(found['missing'], expected)
    else:
        assert 'missing' not in found


@pytest.mark.parametrize('suffix', ['.png', '.tif'])
def test_palettes_are_colours_or_numbers(tmp_path: Path, suffix: str) -> None:
    index = (np.arange(64, dtype=np.uint8) % 3).reshape(8, 8)
    path = tmp_path / f'x{suffix}'
    colours = {0: (9, 8, 7, 255), 1: (200, 0, 0, 255), 2: (1, 2, 3, 255)}
    profile = dict(driver='PNG' if suffix == '.png' else 'GTiff', height=8, width=8)
    with rasterio.open(path, 'w', count=1, dtype='uint8', **profile) as target:
        target.write(index, 1)
        target.write_colormap(1, colours)
    image, found = read_raster(path)
    assert found['bands'] == ('R', 'G', 'B')
    assert image[0, 1].tolist() == [200, 0, 0]
    assert read_raster(path, bands=('B', 'R'))[0][0, 0].tolist() == [7, 9]
    np.testing.assert_array_equal(read_raster(path, palette='index')[0][..., 0], index)


@pytest.mark.parametrize('dtype', ['int64', 'uint64'])
def test_integers_beyond_floats_are_exact(tmp_path: Path, dtype: str) -> None:
    ids = (np.arange(64).reshape(8, 8, 1) + 2**60).astype(dtype)
    path = write(tmp_path / 'x.tif', ids)
    found = read_raster(path)[0]
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, ids)


def test_control_points_and_polynomials_go_along(tmp_path: Path) -> None:
    points = [
        GroundControlPoint(row, column, 31 + column / 1000, 30 - row / 1000)
        for row in (0, SIDE)
        for column in (0, SIDE)
    ]
    path = write(tmp_path / 'x.tif', scene())
    with rasterio.open(path, 'r+') as target:
        target.gcps = points, rasterio.crs.CRS.from_epsg(4326)
    found = read_raster(path)[1]
    assert found['transform'] is None
    assert 'WGS 84' in found['crs']
    assert found['gcps'][3] == (32, 32, 31.032, 29.968, 0)
    assert read_raster(path, window=(8, 4, 9, 9))[1]['gcps'][3][:2] == (24, 28)
    from shapely import box

    moved, crs = to_map_by_points([box(8, 4, 16, 12)], found['crs'], found['gcps'])
    assert crs == found['crs']
    np.testing.assert_allclose(moved[0].bounds, (31.008, 29.988, 31.016, 29.996), atol=1e-9)
    cubic = [0.0] * 16
    rpcs = RPC(
        height_off=0, height_scale=1, lat_off=30, lat_scale=1, line_den_coeff=[1, 0, 0, 0, *cubic],
        line_num_coeff=[0, 0, -1, 0, *cubic], line_off=16, line_scale=16, long_off=31, long_scale=1,
        samp_den_coeff=[1, 0, 0, 0, *cubic], samp_num_coeff=[0, 1, 0, 0, *cubic], samp_off=16,
        samp_scale=16, err_bias=None, err_rand=None,
    )  # fmt: skip
    path = write(tmp_path / 'y.tif', scene())
    with rasterio.open(path, 'r+') as target:
        target.rpcs = rpcs
    found = read_raster(path)[1]
    assert float(found['rpcs']['SAMP_OFF']) == 16
    assert float(read_raster(path, window=(8, 4, 9, 9))[1]['rpcs']['SAMP_OFF']) == 12


def jpeg(path: Path, image: np.ndarray) -> Path:
    Image.fromarray(image).save(path, quality=95)
    return path


def test_a_jpeg_scene_is_decoded_once(tmp_path: Path, monkeypatch) -> None:
    path = jpeg(tmp_path / 'x.jpg', scene())
    decoded, real = [], raster_files.decode_jpeg
    monkeypatch.setattr(raster_files, 'decode_jpeg', lambda p: (decoded.append(p), real(p))[1])
    whole = read_raster(path)[0]
    decoded.clear()
    with Stack([path]) as stack:
        parts = [stack.read(Window(row, 0, 8, SIDE))[0][0] for row in range(0, SIDE, 8)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    for row in range(0, SIDE, 4):
        part = read_raster(path, window=(row, 0, 4, SIDE))[0]
        np.testing.assert_array_equal(part, whole[row : row + 4])
        part[:] = 0  # a window is the caller's own
    np.testing.assert_array_equal(read_raster(path, window=(0, 0, 4, 4))[0], whole[:4, :4])
    assert len(decoded) == 1


def test_every_cut_of_a_png_is_refused(tmp_path: Path) -> None:
    path = tmp_path / 'x.png'
    Image.fromarray(scene()).save(path)
    raw = path.read_bytes()
    for size in range(8, len(raw), max(1, len(raw) // 60)):
        path.write_bytes(raw[:size])
        with pytest.raises(DataError, match=r'x.png: (not a complete PNG|cannot be read)'):
            read_raster(path)
    path.write_bytes(raw)
    np.testing.assert_array_equal(read_raster(path)[0], scene())


@pytest.mark.parametrize('mode', ['1', 'L', 'LA', 'P', 'RGB', 'RGBA', 'I;16'])
def test_whole_pngs_of_all_kinds_are_whole(mode: str) -> None:
    image = Image.fromarray(scene()[:31, :29])
    image = Image.new('I;16', (29, 31)) if mode == 'I;16' else image.convert(mode)
    stream = io.BytesIO()
    image.save(stream, 'PNG')
    assert png_fault(stream.getvalue()) is None


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def test_a_png_with_too_few_rows_and_right_checksums_is_refused() -> None:
    head = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 8, 8, 8, 2, 0, 0, 0))
    rows, end = b'\0' * 25, chunk(b'IEND', b'')
    assert png_fault(head + chunk(b'IDAT', zlib.compress(rows * 8)) + end) is None
    short = head + chunk(b'IDAT', zlib.compress(rows * 7)) + end
    assert png_fault(short) == '175 of 200 bytes of pixels'
    interlaced = head[:8] + chunk(b'IHDR', struct.pack('>IIBBBBB', 8, 8, 1, 0, 0, 0, 1))
    passes = 1 + 1 + 1 + 2 + 2 + 4 + 4  # rows of the seven passes of 8x8, a byte each and a filter
    whole = chunk(b'IDAT', zlib.compress(b'\0' * (2 * passes)))
    assert png_fault(interlaced + whole + end) is None


def test_a_thumbnail_does_not_end_a_jpeg(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(scene()).save(stream, 'JPEG')
    raw = stream.getvalue()
    exif = b'Exif\0\0' + raw
    inside = raw[:2] + b'\xff\xe1' + struct.pack('>H', len(exif) + 2) + exif + raw[2:]
    assert jpeg_end(inside) == len(inside)
    assert jpeg_end(inside[:-2]) is None
    (tmp_path / 'x.jpg').write_bytes(inside[:-40])
    with pytest.raises(DataError, match='not a complete JPEG'):
        read_raster(tmp_path / 'x.jpg')


@pytest.mark.parametrize('name', ['x.tif', 'x.png', 'x.jpg', 'x.jp2'])
def test_absent_empty_and_folders(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(DataNotFoundError, match='no such file'):
        read_raster(path)
    path.write_bytes(b'')
    with pytest.raises(DataError, match=name):
        read_raster(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match=name):
        read_raster(path)


@pytest.mark.parametrize(
    'address',
    ['/vsicurl/http://127.0.0.1:9/x.tif', 'http://127.0.0.1:9/x.tif', 'GTIFF_DIR:1:x.tif'],
)
def test_addresses_are_opened_only_where_the_caller_asked(address: str) -> None:
    with pytest.raises(DataNotFoundError, match='no such file'):
        read_raster(address)


def test_a_virtual_raster_is_opened_only_where_the_caller_asked(tmp_path: Path) -> None:
    import rasterio.shutil

    inner = write(tmp_path / 'inner.tif', scene(), **PLACE)
    for name in ('x.vrt', 'x.tif', 'x.png'):
        rasterio.shutil.copy(str(inner), str(tmp_path / name), driver='VRT')
        with pytest.raises(DataError, match=name):
            read_raster(tmp_path / name)
        np.testing.assert_array_equal(read_raster(tmp_path / name, trusted=True)[0], scene())


FORMATS = {'.tif': {}, '.png': {}, '.jp2': {'REVERSIBLE': 'YES', 'QUALITY': '100'}}
DTYPES = ('uint8', 'uint16', 'int16', 'int32', 'float32', 'float64', 'int8', 'uint32', 'int64')


@st.composite
def made_files(draw) -> dict:
    """Settings of a file of any format, dtype, band count, tag, mask and compression."""
    suffix = draw(st.sampled_from(sorted(FORMATS)))
    wide = DTYPES if suffix == '.tif' else ('uint8', 'uint16')
    dtype = draw(st.sampled_from(wide))
    kind = np.dtype(dtype).kind
    tags = [None, 0, 7] + ([np.nan, -9999, -3.4e38] if kind == 'f' else [])
    packing = st.sampled_from([None, 'deflate', 'lzw', 'packbits'])
    return {
        'suffix': suffix,
        'dtype': dtype,
        'count': draw(st.integers(1, 5 if suffix == '.tif' else 4)),
        'nodata': draw(st.sampled_from(tags)) if suffix == '.tif' else None,
        'compress': draw(packing) if suffix == '.tif' else None,
        'masked': suffix == '.tif' and draw(st.booleans()),
        'seed': draw(st.integers(0, 99)),
    }


def make(folder: Path, suffix, dtype, count, nodata, compress, masked, seed) -> Path:
    (folder / f'x{suffix}').unlink(missing_ok=True)  # rasterio looks into what it replaces
    image = np.random.default_rng(seed).integers(0, 99, (16, 12, count)).astype(dtype)
    given_settings = {'nodata': nodata} if nodata is not None else {}
    if compress:
        given_settings['compress'] = compress
    mask = image[..., 0] > 20 if masked else None
    env = {'GDAL_TIFF_INTERNAL_MASK': True}
    return write(folder / f'x{suffix}', image, mask, env, **given_settings, **FORMATS[suffix])


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(file=made_files())
def test_whatever_is_written_is_read(tmp_path: Path, file: dict) -> None:
    path = make(tmp_path, **file)
    with rasterio.open(path) as source:
        expected, gaps = source.read().transpose(1, 2, 0), source.dataset_mask() == 0
    image, found = read_raster(path)
    np.testing.assert_array_equal(image, expected)
    assert image.dtype == expected.dtype
    missing = found.get('missing', np.zeros(gaps.shape, bool))
    if file['masked']:
        assert missing[gaps].all()
    assert np.isfinite(fill_missing(image, missing)[~missing].astype(float)).all()


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(file=made_files(), cut=st.booleans(), where=st.floats(0, 1), bit=st.integers(0, 7))
def test_damage_is_read_alike_or_refused(tmp_path: Path, file, cut, where, bit) -> None:
    """A cut or flipped file gives an error of ours, or an image of its own header: nothing else.

    Formats with checksums notice every changed pixel.
    """
    path = make(tmp_path, **file)
    whole = read_raster(path)[0]
    raw = bytearray(path.read_bytes())
    place = min(int(where * len(raw)), len(raw) - 1)
    if cut:
        raw = raw[:place]
    else:
        raw[place] ^= 1 << bit
    path.write_bytes(raw)
    try:
        with open_raster(path) as raster:
            if raster.shape[0] * raster.shape[1] > 10**7:
                return
            image, _ = raster.read()
    except RsmmError:
        return
    if path.suffix == '.png':
        np.testing.assert_array_equal(image, whole)
    if cut and path.suffix == '.tif' and image.shape == whole.shape:
        np.testing.assert_array_equal(image, whole)  # what was cut off was none of the pixels
