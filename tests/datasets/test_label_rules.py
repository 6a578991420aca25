"""Every rule of labels over every reader of label rasters."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio._err import CPLE_BaseError

from rsmm.datasets.transforms.change_labels import ENCODINGS, change_map
from rsmm.errors import ConfigError, DataError
from rsmm.registry import DATASETS

PLACE = {'crs': 'EPSG:32636', 'transform': Affine(0.5, 0, 300000, 0, -0.5, 3000000)}
SHAPE = (12, 16)
OSCD = 'Onera Satellite Change Detection dataset - '


def write(path: Path, array: np.ndarray, driver: str = 'GTiff', mask=None, colours=None, **profile):
    """Write (H, W) or (C, H, W)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = array[None] if array.ndim == 2 else array
    profile = {'count': len(array), 'height': array.shape[1], 'width': array.shape[2], **profile}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, 'w', driver=driver, dtype=array.dtype, **profile) as target,
    ):
        if colours is not None:
            target.write_colormap(1, colours)
        target.write(array)
        if mask is not None:
            target.write_mask(mask)


def picture(path: Path, **place) -> None:
    write(path, np.random.default_rng(0).integers(1, 255, (3, *SHAPE), dtype=np.uint8), **place)


class Reader(NamedTuple):
    """A dataset that reads a label raster.

    Attributes:
        images: Files of the images.
        label: File of the label, without suffix.
        settings: Of the dataset.
        step: Transforms that load.
        values: Stored values that mean classes 0 and 1.
        ignored: Stored value that means: does not count; None where it must be said.
    """

    images: tuple[str, ...]
    label: str
    settings: dict
    step: tuple[str, ...]
    values: tuple[int, int]
    ignored: int | None = None

    def read(self, root: Path) -> np.ndarray:
        pipeline = [dict(type=name) for name in self.step]
        return DATASETS.build(dict(data_root=str(root), pipeline=pipeline, **self.settings))[0][
            'gt_seg_map'
        ]


MAP = ('LoadRaster', 'LoadLabelMap')
READERS = {
    'GID': Reader(
        ('image/a.tif',), 'label_gray/a', dict(type='GID', split='all', void=()), MAP, (0, 1), 255
    ),
    'GID tiles': Reader(
        ('image/a.tif',), 'label_gray/a',
        dict(type='GID', split='all', void=(), tile=16, border='pad'), MAP, (0, 1), 255,
    ),
    'LoveDA': Reader(
        ('Train/Urban/images_png/1.tif',), 'Train/Urban/masks_png/1',
        dict(type='LoveDA', scenes='Urban'), MAP, (1, 2), 0,
    ),
    'ChangeFolder': Reader(
        ('A/a.tif', 'B/a.tif'), 'label/a', dict(type='ChangeFolder'), ('LoadPair',), (0, 1)
    ),
    'ChangeFolder 0/255': Reader(
        ('A/a.tif', 'B/a.tif'), 'label/a', dict(type='ChangeFolder'), ('LoadPair',), (0, 255)
    ),
    'ChangeFolder 1/2': Reader(
        ('A/a.tif', 'B/a.tif'), 'label/a', dict(type='ChangeFolder'), ('LoadPair',), (1, 2)
    ),
    'ChangeFolder 0/1/255': Reader(
        ('A/a.tif', 'B/a.tif'), 'label/a', dict(type='ChangeFolder', encoding='0/1/255'),
        ('LoadPair',), (0, 1), 255,
    ),
    'OSCD': Reader(
        tuple(f'{OSCD}Images/rio/imgs_{d}_rect/x_B0{b}.tif' for d in (1, 2) for b in (4, 3, 2)),
        f'{OSCD}Test Labels/rio/cm/rio-cm', dict(type='OSCD', split='test'), ('LoadPair',), (1, 2),
    ),
}  # fmt: skip
FOLDERS = [name for name in READERS if name != 'OSCD']


@pytest.fixture(params=READERS)
def reader(request, tmp_path: Path) -> Reader:
    return make_images(READERS[request.param], tmp_path)


def make_images(reader: Reader, root: Path) -> Reader:
    for name in reader.images:
        if 'rect' in name:
            write(root / name, np.full(SHAPE, 700, np.uint16), **PLACE)
        else:
            picture(root / name, **PLACE)
    return reader


def truth() -> np.ndarray:
    """Classes 0 and 1."""
    return (np.random.default_rng(1).random(SHAPE) < 0.4).astype(np.uint8)


def stored(reader: Reader, classes: np.ndarray, dtype='uint8') -> np.ndarray:
    return np.asarray(reader.values, dtype)[classes]


@pytest.mark.parametrize('dtype', ['uint8', 'uint16', 'int16', 'int32', 'int64', 'float32'])
def test_any_dtype_reads_alike(reader: Reader, tmp_path: Path, dtype: str) -> None:
    write(tmp_path / f'{reader.label}.tif', stored(reader, truth(), dtype), **PLACE)
    np.testing.assert_array_equal(reader.read(tmp_path), truth())


def marked(how: str, reader: Reader, hole: np.ndarray) -> dict:
    """What to write so that ``hole`` has no label."""
    values = stored(reader, truth())
    if how == 'nodata':
        return {'array': np.where(hole, 77, values).astype(np.uint8), 'nodata': 77}
    if how == 'NaN':
        return {'array': np.where(hole, np.nan, values).astype(np.float32)}
    if how == 'NaN tag':
        return {'array': np.where(hole, np.nan, values).astype(np.float32), 'nodata': np.nan}
    if how == 'infinity':
        return {'array': np.where(hole, np.inf, values).astype(np.float32)}
    if how == 'mask':
        return {'array': values, 'mask': np.where(hole, 0, 255).astype(np.uint8)}
    alpha = np.where(hole, 0, 255).astype(np.uint8)
    return {'array': np.stack([values, alpha]), 'photometric': 'MINISBLACK', 'ALPHA': 'YES'}


@pytest.mark.parametrize('how', ['nodata', 'NaN', 'NaN tag', 'infinity', 'mask', 'alpha'])
def test_what_has_no_label_does_not_count(reader: Reader, tmp_path: Path, how: str) -> None:
    hole = np.zeros(SHAPE, bool)
    hole[3:6, 2:9] = True
    write(tmp_path / f'{reader.label}.tif', **marked(how, reader, hole), **PLACE)
    np.testing.assert_array_equal(reader.read(tmp_path), np.where(hole, 255, truth()))


def test_the_value_of_ignored_pixels(reader: Reader, tmp_path: Path) -> None:
    """255 beside 0/1 or 1/2 is never guessed."""
    values = stored(reader, truth())
    if 255 in reader.values:
        pytest.skip('255 is change')
    values[:2] = 255 if reader.ignored is None else reader.ignored
    write(tmp_path / f'{reader.label}.tif', values, **PLACE)
    if reader.ignored is None:
        with pytest.raises(DataError, match=r'found values .*255.*encoding='):
            reader.read(tmp_path)
        return
    expected = truth()
    expected[:2] = 255
    np.testing.assert_array_equal(reader.read(tmp_path), expected)


@pytest.mark.parametrize('value', [3, 99, 200, -1, 300, 2**40, 0.5])
def test_values_that_are_no_class_are_named(reader: Reader, tmp_path: Path, value: float) -> None:
    if value == 3 and 'LoadLabelMap' in reader.step:
        pytest.skip('a class')
    values = stored(reader, truth(), 'float64' if value % 1 else 'int64')
    values[5, 7] = value
    write(tmp_path / f'{reader.label}.tif', values, **PLACE)
    with pytest.raises(DataError, match=rf'{Path(reader.label).name}.tif.*{value}'):
        reader.read(tmp_path)


ELSEWHERE = {
    '3 km east': {**PLACE, 'transform': Affine(0.5, 0, 303000, 0, -0.5, 3000000)},
    'half the pixel size': {**PLACE, 'transform': Affine(0.25, 0, 300000, 0, -0.25, 3000000)},
    'south up': {**PLACE, 'transform': Affine(0.5, 0, 300000, 0, 0.5, 2999994)},
    'neighbouring zone': {**PLACE, 'crs': 'EPSG:32637'},
    'degrees': {'crs': 'EPSG:4326', 'transform': Affine(1e-5, 0, 31, 0, -1e-5, 27)},
}


@pytest.mark.parametrize('where', ELSEWHERE)
def test_a_label_of_another_place_is_refused(reader: Reader, tmp_path: Path, where: str) -> None:
    label = tmp_path / f'{reader.label}.tif'
    write(label, stored(reader, truth()), **ELSEWHERE[where])
    with pytest.raises(DataError, match=r'pixels away|the label is in'):
        reader.read(tmp_path)
    wkt = rasterio.crs.CRS.from_epsg(32636).to_wkt(version='WKT1_ESRI')
    write(label, stored(reader, truth()), crs=wkt, transform=PLACE['transform'])
    np.testing.assert_array_equal(reader.read(tmp_path), truth())


@pytest.mark.filterwarnings('ignore::rasterio.errors.NotGeoreferencedWarning')
@pytest.mark.parametrize('name', FOLDERS)
def test_a_label_without_place_lies_anywhere(tmp_path: Path, name: str) -> None:
    reader = make_images(READERS[name], tmp_path)
    write(tmp_path / f'{reader.label}.png', stored(reader, truth()), 'PNG')
    np.testing.assert_array_equal(reader.read(tmp_path), truth())


@pytest.mark.parametrize('shape', [(12, 15), (24, 32), (6, 8)])
def test_a_label_of_another_size_is_refused(reader: Reader, tmp_path: Path, shape) -> None:
    write(tmp_path / f'{reader.label}.tif', np.resize(np.array(reader.values, np.uint8), shape))
    with pytest.raises(DataError, match=r'pixels'):
        reader.read(tmp_path)


@pytest.mark.parametrize('dtype', ['complex64', 'complex128'])
def test_complex_labels_are_refused(reader: Reader, tmp_path: Path, dtype: str) -> None:
    write(tmp_path / f'{reader.label}.tif', stored(reader, truth(), dtype), **PLACE)
    with pytest.raises(DataError, match='complex'):
        reader.read(tmp_path)


def test_two_bands_are_no_label(reader: Reader, tmp_path: Path) -> None:
    values = stored(reader, truth())
    write(tmp_path / f'{reader.label}.tif', np.stack([values, values]), **PLACE)
    with pytest.raises(DataError, match='has 2 bands'):
        reader.read(tmp_path)


@pytest.mark.filterwarnings('ignore::rasterio.errors.NotGeoreferencedWarning')
@pytest.mark.parametrize('driver', ['PNG', 'GTiff'])
@pytest.mark.parametrize('name', FOLDERS)
def test_palettes_read_alike_in_png_and_geotiff(tmp_path: Path, name: str, driver: str) -> None:
    """Colours that are no classes leave the indices; greys are what they show."""
    reader = make_images(READERS[name], tmp_path)
    path = tmp_path / f'{reader.label}.{"png" if driver == "PNG" else "tif"}'
    gaudy = {value: (9 * value % 256, 40 + value % 2, 7, 255) for value in range(256)}
    write(path, stored(reader, truth()), driver, colours=gaudy)
    np.testing.assert_array_equal(reader.read(tmp_path), truth())
    # As a program that reduces colours may write it: index 0 is the second value.
    table = {1: (reader.values[0],) * 3, 0: (reader.values[1],) * 3}
    write(path, 1 - truth(), driver, colours={k: (*v, 255) for k, v in table.items()})
    np.testing.assert_array_equal(reader.read(tmp_path), truth())


@pytest.mark.filterwarnings('ignore::rasterio.errors.NotGeoreferencedWarning')
@pytest.mark.parametrize('driver', ['PNG', 'GTiff'])
def test_a_palette_of_class_colours_is_read_by_colour(tmp_path: Path, driver: str) -> None:
    reader = make_images(READERS['GID'], tmp_path)
    palette = DATASETS.get('GID')(str(tmp_path), split='all', lazy_init=True).metainfo['palette']
    classes = np.random.default_rng(2).permutation(np.arange(SHAPE[0] * SHAPE[1]) % 5 + 1)
    classes = classes.reshape(SHAPE).astype(np.uint8)
    order = {index: (*palette[5 - index], 255) for index in range(5)}
    path = tmp_path / f'{reader.label}.{"png" if driver == "PNG" else "tif"}'
    write(path, 5 - classes, driver, colours=order)
    np.testing.assert_array_equal(reader.read(tmp_path), classes)


def test_maps_of_two_encodings_in_one_set(tmp_path: Path) -> None:
    """A set of 0/1/255 has maps that hold 0 and 255 alone: no map by itself can tell."""
    for name, high in (('a', 1), ('b', 255)):
        for folder in 'AB':
            picture(tmp_path / folder / f'{name}.tif', **PLACE)
        write(tmp_path / f'label/{name}.tif', truth() * np.uint8(high), **PLACE)
    data = dict(type='ChangeFolder', data_root=str(tmp_path), pipeline=[dict(type='LoadPair')])
    found = DATASETS.build(data)
    assert set(np.unique(found[0]['gt_seg_map'])) == {0, 1}
    with pytest.raises(DataError, match=r'b.tif: is a change map of 0/255, but .*a.tif .* 0/1'):
        found[1]
    found = DATASETS.build({**data, 'encoding': '0/1/255'})
    assert set(np.unique(found[1]['gt_seg_map'])) == {0, 255}


AMBIGUOUS = [(0, 1, 255), (1, 2, 255), (0, 1, 2), (1,), (2,), (0, 2), (0, 128, 255), (0, 7),
             (1, 255), (0, 1, 2, 3, 255), (0, 2, 255), (0, 100, 200)]  # fmt: skip


@pytest.mark.parametrize('values', AMBIGUOUS)
def test_ambiguous_sets_are_refused_and_can_be_said(values: tuple[int, ...]) -> None:
    grey = np.resize(np.repeat(np.array(values, np.uint8), 30), (30 * len(values), 9))
    with pytest.raises(DataError, match=r'm.png: expected .*encoding='):
        change_map(grey, where='m.png')
    said = {value: (0, 1, 255)[k % 3] for k, value in enumerate(values)}
    for table in (said, {str(key): value for key, value in said.items()}):
        assert set(np.unique(change_map(grey, table))) == set(said.values())


@pytest.mark.parametrize('name', ENCODINGS)
def test_named_encodings(name: str) -> None:
    table = ENCODINGS[name]
    grey = np.array([list(table)], np.uint8)
    assert change_map(grey, name).tolist() == [list(table.values())]
    for missing in (np.zeros((1, len(table)), bool), np.ones((1, len(table)), bool)):
        assert (change_map(grey, name, missing=missing)[missing] == 255).all()


@pytest.mark.parametrize('wrong', ['0/2', 'Auto', {0: 2}, {'a': 1}, 7])
def test_unknown_encodings(wrong) -> None:
    with pytest.raises(ConfigError, match='encoding='):
        change_map(np.zeros((2, 2), np.uint8), wrong)


def test_a_map_in_two_colours_is_refused() -> None:
    colours = np.zeros((4, 4, 3), np.uint8)
    colours[:2, :, 0] = 255
    assert change_map(colours).sum() == 8
    colours[2, :, 1] = 255
    with pytest.raises(DataError, match=r'greys or one colour, found \(0, 255, 0\), \(255, 0, 0\)'):
        change_map(colours)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    dtype=st.sampled_from(['uint8', 'int8', 'uint16', 'int16', 'int32', 'int64', 'uint64',
                           'float32', 'float64', 'complex64']),
    bands=st.integers(1, 5),
    values=st.lists(st.sampled_from([0, 1, 2, 3, 77, 128, 254, 255]), min_size=1, max_size=5),
    nodata=st.sampled_from([None, 0, 1, 77, 255, -9999, float('nan'), -3.4e38]),
    mask=st.booleans(),
    damage=st.sampled_from(['none', 'cut', 'flip']),
    position=st.floats(0, 0.999),
    name=st.sampled_from(list(READERS)),
    png=st.booleans(),
)  # fmt: skip
def test_fuzzed_labels(
    tmp_path_factory, dtype, bands, values, nodata, mask, damage, position, name, png
) -> None:
    """Any label gives classes and 255, or an error of rsmm: nothing else."""
    root = tmp_path_factory.mktemp('fuzz')
    reader = make_images(READERS[name], root)
    array = np.resize(np.array(values), (bands, *SHAPE)).astype(dtype)
    png = png and name != 'OSCD'
    driver, path = ('PNG', '.png') if png else ('GTiff', '.tif')
    path = root / f'{reader.label}{path}'
    try:
        hole = np.resize(np.array([0, 255, 255], np.uint8), SHAPE) if mask else None
        write(path, array, driver, nodata=nodata, mask=hole)
    except (ValueError, rasterio.errors.RasterioError, CPLE_BaseError, OverflowError):
        return  # no such file can be written
    damaged(path, damage, position)
    try:
        label = reader.read(root)
    except DataError:
        return
    assert label.shape == SHAPE
    assert label.dtype == np.uint8
    assert set(np.unique(label).tolist()) <= {*range(7), 255}


def damaged(path: Path, damage: str, position: float) -> None:
    """Cut a file or flip a bit of it."""
    raw = bytearray(path.read_bytes())
    place = int(position * len(raw))
    if damage == 'cut':
        raw = raw[:place]
    elif damage == 'flip':
        raw[place] ^= 1 << place % 8
    path.write_bytes(raw)


def test_a_marker_that_may_be_no_change(tmp_path: Path) -> None:
    """0/255 with 0 as nodata: what is left is change alone."""
    reader = make_images(READERS['ChangeFolder 0/255'], tmp_path)
    write(tmp_path / f'{reader.label}.tif', truth() * np.uint8(255), nodata=0, **PLACE)
    with pytest.raises(DataError, match='found values 255.*encoding='):
        reader.read(tmp_path)
    said = READERS['ChangeFolder 0/255']
    said = said._replace(settings={**said.settings, 'encoding': '0/255'})
    np.testing.assert_array_equal(said.read(tmp_path), np.where(truth() == 1, 1, 255))
