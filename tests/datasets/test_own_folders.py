"""Folders of one's own: what is listed, split, read, and refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from PIL import Image

from rsmm.errors import ConfigError, DataError, DataNotFoundError
from rsmm.geo.io import read_vector, write_raster, write_vector
from rsmm.geo.label_raster import read_label
from rsmm.geo.vector_labels import _on_image
from rsmm.registry import DATASETS
from rsmm.toy import get_writer
from rsmm.toy.aerial import CLASSES as OBJECTS

UTM = 'EPSG:32632'
GRID = (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_500_000.0)
BANDS = ('B02', 'B03', 'B04', 'B08')
MAP = [dict(type='LoadRaster'), dict(type='LoadLabelMap')]
CLASSES = ('water', 'forest', 'field')
#: Two polygons in pixels of a scene of 20 x 30: columns 2..9 of rows 4..11, and 15..24 of 0..5.
SHAPES = (shapely.box(2, 4, 10, 12), shapely.box(15, 0, 25, 6))
KINDS = ('MapFolder', 'ChangeFolder', 'ImageFolder', 'BoxFolder', 'StackFolder')


def image(path: Path, seed: int = 0, shape=(20, 30), grid=GRID, crs=UTM) -> np.ndarray:
    array = np.random.default_rng(seed).integers(1, 5000, (*shape, 4), dtype=np.uint16)
    write_raster(path, array, crs=crs, transform=grid, bands=BANDS)
    return array


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def label(path: Path, seed: int = 0, classes: int = 3, shape=(20, 30), grid=GRID) -> np.ndarray:
    array = np.random.default_rng(seed).integers(0, classes, shape, dtype=np.uint8)
    write_raster(path, array, crs=UTM, transform=grid)
    return array


def polygons(path: Path, grid=GRID, crs=UTM, names=('forest', 'field')) -> None:
    write_vector(path, SHAPES, {'kind': list(names)}, crs=crs, transform=grid)


def burnt() -> np.ndarray:
    expected = np.zeros((20, 30), np.uint8)
    expected[4:12, 2:10], expected[0:6, 15:25] = 1, 2
    return expected


def build(kind: str, root: Path, **settings):
    settings.setdefault('bands', BANDS)
    return DATASETS.build(dict(type=kind, data_root=str(root), **settings))


def maps(root: Path, count: int = 10, **settings):
    for number in range(count):
        image(root / 'images' / f's{number}.tif', number)
        label(root / 'labels' / f's{number}.tif', number)
    return build('MapFolder', root, classes=CLASSES, pipeline=MAP, **settings)


@pytest.mark.parametrize('kind', KINDS)
def test_a_missing_folder_is_named(kind: str, tmp_path: Path) -> None:
    known = {} if kind in ('ChangeFolder', 'ImageFolder') else {'classes': CLASSES}
    bands = {} if kind == 'BoxFolder' else {'bands': BANDS}
    for root in (tmp_path / 'absent', tmp_path):
        with pytest.raises(DataNotFoundError, match=str(root)):
            DATASETS.build(dict(type=kind, data_root=str(root), **known, **bands))


@pytest.mark.parametrize('form', ['{split}/{folder}', '{folder}/{split}'])
def test_folders_of_the_splits_are_read_as_they_are(form: str, tmp_path: Path) -> None:
    for split, count in (('train', 3), ('val', 2)):
        for number in range(count):
            name = f'{split}{number}.tif'
            image(tmp_path / form.format(split=split, folder='images') / name)
            label(tmp_path / form.format(split=split, folder='labels') / name)
    for split, count in (('train', 3), ('val', 2), ('all', 5)):
        data = build('MapFolder', tmp_path, split=split, classes=CLASSES)
        assert len(data) == count
    with pytest.raises(DataNotFoundError, match='images'):
        build('MapFolder', tmp_path, split='test', classes=CLASSES)


def test_drawn_splits_are_disjoint_and_complete(tmp_path: Path) -> None:
    maps(tmp_path)
    parts = []
    for split in ('train', 'val'):
        data = build('MapFolder', tmp_path, split=split, num_classes=3)
        parts.append({data.get_data_info(k)['name'] for k in range(len(data))})
    assert [len(part) for part in parts] == [8, 2]
    assert not parts[0] & parts[1]


def test_image_label_and_metainfo(tmp_path: Path) -> None:
    palette = [(0, 0, 255), (0, 99, 0), (255, 255, 0)]
    data = maps(tmp_path, 1, palette=palette)
    sample = data[0]
    np.testing.assert_array_equal(sample['img'], image(tmp_path / 'again.tif', 0))
    np.testing.assert_array_equal(sample['gt_seg_map'], label(tmp_path / 'label.tif', 0))
    assert data.metainfo['classes'] == CLASSES
    assert data.metainfo['palette'] == palette
    assert data.metainfo['bands'] == BANDS


def test_num_classes_gives_numbered_names_and_must_agree(tmp_path: Path) -> None:
    maps(tmp_path, 2)
    assert build('MapFolder', tmp_path, num_classes=3).metainfo['classes'][2] == 'class 2'
    with pytest.raises(ConfigError, match='num_classes=4, but classes names 3'):
        build('MapFolder', tmp_path, num_classes=4, classes=CLASSES)
    with pytest.raises(ConfigError, match='classes are not known'):
        build('MapFolder', tmp_path)


def test_an_image_without_label_is_refused_or_skipped(tmp_path: Path) -> None:
    maps(tmp_path, 2)
    image(tmp_path / 'images' / 'bare.tif')
    with pytest.raises(DataError, match=r'bare.tif: has no label.*1 such images.*skip'):
        build('MapFolder', tmp_path, classes=CLASSES)
    assert len(build('MapFolder', tmp_path, classes=CLASSES, unlabelled='skip')) == 2


@pytest.mark.parametrize('suffix', ['.geojson', '.gpkg'])
@pytest.mark.parametrize('crs', [UTM, 'EPSG:4326'])
def test_polygons_are_burnt_to_the_grid(suffix: str, crs: str, tmp_path: Path) -> None:
    image(tmp_path / 'images/a.tif')
    (tmp_path / 'labels').mkdir()
    polygons(tmp_path / 'in_utm.gpkg')
    if crs == UTM:
        polygons(tmp_path / f'labels/a{suffix}')
    else:
        shapes, columns, _ = read_vector(tmp_path / 'in_utm.gpkg', crs)
        write_vector(tmp_path / f'labels/a{suffix}', shapes, columns, crs=crs)
    data = build('MapFolder', tmp_path, classes=CLASSES, label_field='kind', pipeline=MAP)
    np.testing.assert_array_equal(data[0]['gt_seg_map'], burnt())
    tiles = build('MapFolder', tmp_path, classes=CLASSES, label_field='kind', pipeline=MAP, tile=10)
    for k in range(len(tiles)):  # windows show the same label, also where no polygon lies
        row, column, height, width = tiles.get_data_info(k)['window']
        part = burnt()[row : row + height, column : column + width]
        np.testing.assert_array_equal(tiles[k]['gt_seg_map'], part)


def test_polygons_equal_the_raster_they_were_burnt_to(tmp_path: Path) -> None:
    """Ten random drawings: a vector label and the raster of the same pixels give one label."""
    rng = np.random.default_rng(3)
    image(tmp_path / 'images/a.tif')
    for _ in range(10):
        stored = np.zeros((20, 30), np.uint8)
        shapes, names = [], []
        for _ in range(4):
            top, left = rng.integers(0, (18, 28))
            bottom, right = rng.integers((top, left), (20, 30)) + 1
            kind = int(rng.integers(0, 3))
            stored[top:bottom, left:right] = kind
            shapes.append(shapely.box(left, top, right, bottom))
            names.append(str(kind))
        (tmp_path / 'labels').mkdir(exist_ok=True)
        path = tmp_path / 'labels/a.gpkg'
        path.unlink(missing_ok=True)
        write_vector(path, shapes, {'kind': names}, crs=UTM, transform=GRID)
        _on_image.cache_clear()
        data = build('MapFolder', tmp_path, classes=CLASSES, label_field='kind', pipeline=MAP)
        np.testing.assert_array_equal(data[0]['gt_seg_map'], stored)


def test_one_vector_file_for_all_images(tmp_path: Path) -> None:
    beside = (*GRID[:2], GRID[2] + 100, *GRID[3:])
    image(tmp_path / 'images/a.tif')
    image(tmp_path / 'images/b.tif', grid=beside)
    polygons(tmp_path / 'areas.gpkg')
    data = build(
        'MapFolder', tmp_path, classes=CLASSES, ann_dir='areas.gpkg', label_field='kind',
        pipeline=MAP,
    )  # fmt: skip
    np.testing.assert_array_equal(data[0]['gt_seg_map'], burnt())
    np.testing.assert_array_equal(data[1]['gt_seg_map'][:, :20], burnt()[:, 10:])
    far = (*GRID[:2], GRID[2] + 3000, *GRID[3:])
    image(tmp_path / 'images/b.tif', grid=far)
    with pytest.raises(DataError, match='lies on the image'):
        data[1]


#: What is wrong with a vector label, and what the error says.
WRONG = {
    'elsewhere': (dict(grid=(*GRID[:2], GRID[2] + 3000, *GRID[3:])), {}, 'none of 2 footprints'),
    'class': (dict(names=('forest', 'feld')), {}, "kind 'feld' is no class. Did you mean 'field'"),
    'field': ({}, {'label_field': 'kin'}, "no attribute 'kin'. Did you mean 'kind'"),
    'number': (dict(names=('1', '7')), {}, 'label 7 at row 0, column 15 is outside 0..2'),
}


@pytest.mark.parametrize('case', WRONG)
def test_wrong_polygons_are_refused(case: str, tmp_path: Path) -> None:
    drawn, settings, message = WRONG[case]
    image(tmp_path / 'images/a.tif')
    (tmp_path / 'labels').mkdir()
    polygons(tmp_path / 'labels/a.gpkg', **drawn)
    settings = {'classes': CLASSES, 'label_field': 'kind', 'pipeline': MAP, **settings}
    data = build('MapFolder', tmp_path, **settings)
    with pytest.raises(DataError, match=message):
        data[0]


def test_polygons_on_an_image_without_place_are_refused(tmp_path: Path) -> None:
    image(tmp_path / 'images/a.tif', grid=None, crs=None)
    (tmp_path / 'labels').mkdir()
    polygons(tmp_path / 'labels/a.gpkg')
    data = build('MapFolder', tmp_path, classes=CLASSES, label_field='kind', pipeline=MAP)
    with pytest.raises(DataError, match='no coordinate system'):
        data[0]


def test_a_raster_label_of_another_place_is_refused(tmp_path: Path) -> None:
    image(tmp_path / 'images/a.tif')
    label(tmp_path / 'labels/a.tif', grid=(*GRID[:2], GRID[2] + 3000, *GRID[3:]))
    data = build('MapFolder', tmp_path, classes=CLASSES, pipeline=MAP)
    with pytest.raises(DataError, match='lies 300 pixels away'):
        data[0]


def pairs(root: Path, count: int = 10) -> None:
    for number in range(count):
        for folder in ('A', 'B'):
            image(root / folder / f'p{number}.tif', number)
        label(root / 'label' / f'p{number}.tif', number, classes=2)


def test_pairs_are_drawn_where_no_folder_splits_them(tmp_path: Path) -> None:
    pairs(tmp_path)
    names = []
    for split in ('train', 'val', None):
        data = build('ChangeFolder', tmp_path, split=split)
        names.append({data.get_data_info(k)['name'] for k in range(len(data))})
    assert [len(part) for part in names] == [8, 2, 10]
    assert names[0] | names[1] == names[2]


@pytest.mark.parametrize('suffixes', [('.jpg', '.png'), ('.jpg', '.tif')])
def test_dsifn_as_published(tmp_path: Path, suffixes) -> None:
    """Folders t1, t2 and mask in train, val and test; JPEG images, masks of 0/255."""
    names = dict(before='t1', after='t2', label='mask', bands='rgb')
    picture, mask = suffixes
    for split, count in (('train', 3), ('val', 2), ('test', 1)):
        for number in range(count):
            for value, folder in enumerate(('t1', 't2')):
                flat = np.full((8, 8, 3), 60 + 90 * value, np.uint8)
                save(tmp_path / split / folder / f'{number}{picture}', flat)
            changed = np.zeros((8, 8), np.uint8)
            changed[: number + 1] = 255
            save(tmp_path / split / 'mask' / f'{number}{mask}', changed)
    for split, count in (('train', 3), ('val', 2), ('test', 1)):
        pipeline = [dict(type='LoadPair')]
        data = build('ChangeFolder', tmp_path, split=split, pipeline=pipeline, **names)
        assert len(data) == count
        for k in range(count):
            assert data[k]['gt_seg_map'].sum() == 8 * (k + 1)
            means = np.asarray(data[k]['img'], float).mean(axis=(0, 1, 3))
            np.testing.assert_allclose(means, (60, 150), atol=2)
    with pytest.raises(DataNotFoundError, match=r'no folder A, but mask, t1, t2[\s\S]*before='):
        len(build('ChangeFolder', tmp_path, split='train', bands='rgb'))


def test_polygons_of_what_changed(tmp_path: Path) -> None:
    pairs(tmp_path, 1)
    (tmp_path / 'label/p0.tif').unlink()
    polygons(tmp_path / 'label/p0.geojson')
    data = build('ChangeFolder', tmp_path, pipeline=[dict(type='LoadPair')])
    np.testing.assert_array_equal(data[0]['gt_seg_map'], burnt() > 0)


def classes(root: Path, form: str = '{name}', count: int = 8) -> None:
    for name in ('bare', 'wood'):
        for number in range(count):
            image(root / form.format(name=name) / f'{number}.tif', number)


def test_classes_are_the_folders(tmp_path: Path) -> None:
    classes(tmp_path)
    train, val = (build('ImageFolder', tmp_path, split=split) for split in ('train', 'val'))
    assert train.metainfo['classes'] == ('bare', 'wood')
    assert (len(train), len(val)) == (12, 4)
    paths = {data.get_data_info(k)['img_path'] for data in (train, val) for k in range(len(data))}
    assert len(paths) == 16
    for data in (train, val):  # every class keeps its share
        labels = [data.get_cat_ids(k)[0] for k in range(len(data))]
        assert labels.count(0) == labels.count(1)


def test_split_folders_of_classes(tmp_path: Path) -> None:
    classes(tmp_path, 'train/{name}', 3)
    classes(tmp_path, 'val/{name}', 2)
    for split, count in (('train', 6), ('val', 4), ('all', 10)):
        assert len(build('ImageFolder', tmp_path, split=split)) == count
    with pytest.raises(DataNotFoundError, match='no folder test, only train, val'):
        build('ImageFolder', tmp_path, split='test')


def test_folders_that_are_no_class(tmp_path: Path) -> None:
    classes(tmp_path)
    with pytest.raises(DataError, match="'wood' is not among the classes.*'woods'"):
        build('ImageFolder', tmp_path, classes=('bare', 'woods'))
    with pytest.raises(ConfigError, match='num_classes=3, but there are 2 classes: bare, wood'):
        build('ImageFolder', tmp_path, num_classes=3)


def test_images_of_another_size_are_refused(tmp_path: Path) -> None:
    classes(tmp_path, count=2)
    data = build(
        'ImageFolder', tmp_path, size=(20, 20), split='all', pipeline=[dict(type='LoadRaster')]
    )
    with pytest.raises(DataError, match='expected 20x20 pixels, found 20x30'):
        data[0]


def stacks(root: Path, days=('2018-04-01', '2018-06-01', '2018-09-01'), count: int = 1) -> None:
    for number in range(count):
        for k, day in enumerate(days):
            image(root / 'images' / f'p{number}' / f'S2_{day}.tif', k)
        label(root / 'labels' / f'p{number}.tif', number)


STACK = [dict(type='LoadStack'), dict(type='LoadLabelMap'), dict(type='PackMap')]


@pytest.mark.parametrize('tile', [None, 10])
def test_dates_of_a_place(tile: int | None, tmp_path: Path) -> None:
    stacks(tmp_path)
    data = build('StackFolder', tmp_path, classes=CLASSES, pipeline=STACK, tile=tile)
    side = (20, 30) if tile is None else (10, 10)
    sample = data[len(data) - 1]
    assert sample['inputs'].shape == (3, 4, *side)
    assert sample['data_samples'].days == (-153, -92, 0)
    part = slice(-side[0], None), slice(-side[1], None)
    for k in range(3):
        expected = image(tmp_path / 'again.tif', k)[part].transpose(2, 0, 1)
        np.testing.assert_array_equal(sample['inputs'][k], expected)
    stored = read_label(tmp_path / 'labels/p0.tif').values[part]
    np.testing.assert_array_equal(sample['data_samples'].gt_sem_seg.data[0], stored)


def test_missing_pixels_of_a_date_are_marked(tmp_path: Path) -> None:
    stacks(tmp_path)
    array = image(tmp_path / 'again.tif', 1)
    array[:5] = 0
    write_raster(
        tmp_path / 'images/p0/S2_2018-06-01.tif', array, crs=UTM, transform=GRID, bands=BANDS,
        nodata=0,
    )  # fmt: skip
    sample = build('StackFolder', tmp_path, classes=CLASSES, pipeline=STACK)[0]['data_samples']
    missing = np.asarray(sample.missing.data)
    assert missing[1, :5].all()
    assert not missing[[0, 2]].any()
    assert not missing[1, 5:].any()


#: A file that does not belong to a stack, and what the error says.
STRANGERS = {
    'cloudy.tif': (dict(), 'has no date in its name'),
    'S3_20180601.tif': (dict(), 'is of 2018-06-01, as S2_2018-06-01.tif'),
    '2018-07-01.tif': (dict(shape=(19, 30)), 'has 19x30 pixels'),
    '2018-07-02.tif': (dict(crs='EPSG:32633'), 'coordinate system differs'),
    '2018-07-03.tif': (dict(grid=(*GRID[:2], GRID[2] + 50, *GRID[3:])), 'lies 5 pixels away'),
}


@pytest.mark.parametrize('name', STRANGERS)
def test_files_that_do_not_belong_to_a_stack(name: str, tmp_path: Path) -> None:
    settings, message = STRANGERS[name]
    stacks(tmp_path)
    image(tmp_path / 'images/p0' / name, **settings)
    with pytest.raises(DataError, match=f'{name}.*{message}'):
        build('StackFolder', tmp_path, classes=CLASSES, pipeline=STACK)[0]


def test_boxes_of_another_number_of_classes_than_the_head(tmp_path: Path) -> None:
    get_writer('aerial')(tmp_path / 'b', images=6, size=128)
    with pytest.raises(ConfigError, match='num_classes=16, but there are . classes: .*vehicle'):
        DATASETS.build(dict(type='BoxFolder', data_root=str(tmp_path / 'b'), num_classes=16))
    settings = dict(type='BoxFolder', data_root=str(tmp_path / 'b'), classes=OBJECTS, num_classes=5)
    assert DATASETS.build(settings).metainfo['classes'] == OBJECTS
