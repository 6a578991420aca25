"""OSCD: encodings of its labels, sizes of its bands, tiles, real cities, broken folders."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rsmm.datasets.oscd import CITIES, band_files, read_dates
from rsmm.datasets.tiling import tile_windows
from rsmm.datasets.transforms.change_labels import change_map, read_change_map
from rsmm.datasets.transforms.dates import regrid
from rsmm.errors import ConfigError, DataError, DataNotFoundError
from rsmm.geo.io import write_raster
from rsmm.registry import DATASETS

IMAGES = 'Onera Satellite Change Detection dataset - Images'
LABELS = 'Onera Satellite Change Detection dataset - Train Labels'
#: (H, W) of the published cities, as listed with the dataset.
SIZES = {
    'abudhabi': (785, 799), 'aguasclaras': (471, 525), 'beihai': (772, 902),
    'beirut': (1180, 1070), 'bercy': (360, 395), 'bordeaux': (461, 517),
    'cupertino': (788, 1015), 'hongkong': (695, 540), 'mumbai': (858, 557),
    'nantes': (522, 582), 'paris': (390, 408), 'pisa': (718, 776), 'rennes': (339, 563),
    'saclay_e': (688, 639), 'brasilia': (469, 431), 'chongqing': (544, 730),
    'dubai': (774, 634), 'lasvegas': (716, 824), 'milano': (558, 545),
    'montpellier': (426, 451), 'norcia': (385, 241), 'rio': (353, 426),
    'saclay_w': (688, 639), 'valencia': (476, 458),
}  # fmt: skip
LOAD = [dict(type='LoadPair'), dict(type='PackMap')]


@pytest.mark.parametrize(('split', 'tiles'), [('train', 827), ('test', 385)])
def test_published_tile_counts(split: str, tiles: int) -> None:
    assert sum(len(tile_windows(SIZES[city], 96)) for city in CITIES[split]) == tiles


def test_border_rules() -> None:
    pad, shift, drop = (
        tile_windows((200, 96), 96, border=rule) for rule in ('pad', 'shift', 'drop')
    )
    assert [window.row for window in pad] == [0, 96, 192]
    assert [window.row for window in shift] == [0, 96, 104]
    assert [window.row for window in drop] == [0, 96]
    # With overlap the grid ends with the first tile that reaches the border.
    assert [window.row for window in tile_windows((200, 96), 96, 48)] == [0, 48, 96, 144]
    with pytest.raises(ConfigError, match='border'):
        tile_windows((200, 96), 96, border='wrap')


def test_label_encodings_agree() -> None:
    truth = np.array([[0, 1], [1, 0]], bool)
    rgba = np.dstack([truth * 255] * 3 + [np.full((2, 2), 255)])
    for values in (truth * 1, truth * 255, truth + 1, rgba, rgba[..., :3], truth[..., None] * 255):
        np.testing.assert_array_equal(change_map(values.astype(np.uint8)), truth)
    assert not change_map(np.ones((2, 2)), '1/2').any()
    assert change_map(np.ones((2, 2)), '0/1').all()
    gray = np.array([[0, 4], [254, 255]], np.uint8)
    np.testing.assert_array_equal(change_map(gray), [[0, 0], [1, 1]])
    np.testing.assert_array_equal(change_map(gray, threshold=0), [[0, 1], [1, 1]])
    with pytest.raises(DataError, match=r'cm.png: .* found values 0, 7'):
        change_map(np.array([[0, 7]]), where='cm.png')


@pytest.mark.parametrize('mode', ['L', 'RGB', 'quantised', 'bilevel', 'coloured'])
def test_palette_labels(tmp_path: Path, mode: str) -> None:
    """Reducing colours numbers them as they come: index 0 may be white."""
    truth = np.random.default_rng(0).random((20, 30)) < 0.1
    image = Image.fromarray(truth.astype(np.uint8) * 255)
    if mode == 'quantised':
        image = image.quantize(2)
        assert np.asarray(image)[truth].max() == 0
    elif mode == 'coloured':
        image = Image.frombytes('P', (30, 20), truth.astype(np.uint8).tobytes())
        image.putpalette([0, 0, 0, 128, 0, 0] + [0] * 762)
    else:
        image = image.convert('1' if mode == 'bilevel' else mode)
    image.save(tmp_path / 'cm.png')
    np.testing.assert_array_equal(read_change_map(tmp_path / 'cm.png')[0], truth)


def test_regrid_keeps_a_plane_exact() -> None:
    """Bilinear interpolation reproduces linear functions, so any shift would show."""
    row, column = np.mgrid[:12, :10].astype(np.float32)
    fine = (10 * row + column)[..., None]
    coarse = fine.reshape(6, 2, 5, 2, 1).mean(axis=(1, 3))
    for transforms in (((20.0, 0, 0, 0, -20.0, 0), (10.0, 0, 0, 0, -10.0, 0)), (None, None)):
        back = regrid(coarse, transforms[0], (12, 10), transforms[1])
        np.testing.assert_allclose(back[1:-1, 1:-1], fine[1:-1, 1:-1], atol=1e-3)
    shifted = regrid(fine, (10.0, 0, 0, 0, -10.0, 0), (12, 10), (10.0, 0, 10.0, 0, -10.0, 0))
    np.testing.assert_allclose(shifted[:, :-1], fine[:, 1:], atol=1e-3)


def make_city(
    root: Path, city: str = 'paris', bands=('B02', 'B03', 'B04', 'B05'), label=(40, 30), crs=None
) -> Path:
    """A city with native bands; value = 100 x band number + date."""
    rng = np.random.default_rng(0)
    for date in (1, 2):
        for band in bands:
            factor = 2 if band == 'B05' else 1
            gsd = 10 * factor
            image = np.full((40 // factor, 30 // factor), 100 * int(band[1:]) + date, np.uint16)
            place = (gsd, 0, 0, 0, -gsd, 400)
            name = f'T31UDQ_{date}_{band}.tif'
            write_raster(
                root / IMAGES / city / f'imgs_{date}' / name,
                image,
                crs=(crs or ['EPSG:32631'] * 2)[date - 1],
                transform=place,
            )
    mask = (rng.random(label) < 0.1).astype(np.uint8) * 255
    folder = root / LABELS / city / 'cm'
    folder.mkdir(parents=True)
    Image.fromarray(mask).save(folder / 'cm.png')
    (root / IMAGES / city / 'dates.txt').write_text('date_1: 20160120\ndate_2: 20180328\n')
    return root


def oscd(root: Path, **settings):
    return DATASETS.build(dict(type='OSCD', data_root=str(root), pipeline=LOAD, **settings))


def test_bands_come_by_name_and_on_one_grid(tmp_path: Path) -> None:
    data = oscd(make_city(tmp_path), bands=['B05', 'B02'])
    first, second = data[0]['inputs']
    assert first.shape == (2, 40, 30)
    assert (first[0] == 501).all()
    assert (first[1] == 201).all()
    assert (second[0] == 502).all()
    meta = data[0]['data_samples']
    assert meta.bands == ('B05', 'B02')
    assert meta.dates == ('2016-01-20', '2018-03-28')
    assert meta.transform == (10, 0, 0, 0, -10, 400)
    assert 'UTM' in meta.crs


def test_tiles_carry_their_own_place(tmp_path: Path) -> None:
    data = oscd(make_city(tmp_path), tile=16)
    assert len(data) == 3 * 2
    sample = data[-1]['data_samples']
    assert sample.window == (32, 16, 16, 16)
    assert sample.transform == (10, 0, 160, 0, -10, 80)
    assert sample.gt_sem_seg.data.shape == (1, 8, 14)  # PadMap fills it up
    whole = oscd(make_city(tmp_path / 'b'))[0]['data_samples'].gt_sem_seg.data
    parts = sum(int(data[k]['data_samples'].gt_sem_seg.data.sum()) for k in range(6))
    assert parts == int(whole.sum()) > 0


def test_padding_is_ignored(tmp_path: Path) -> None:
    root = make_city(tmp_path)
    pipeline = [dict(type='LoadPair'), dict(type='PadMap', size=16), dict(type='PackMap')]
    data = DATASETS.build(dict(type='OSCD', data_root=str(root), tile=16, pipeline=pipeline))
    sample = data[5]
    assert sample['inputs'][0].shape == (3, 16, 16)
    label = sample['data_samples'].gt_sem_seg.data[0]
    assert (label[8:] == 255).all()
    assert (label[:8, :14] < 2).all()


def test_splits_follow_the_published_lists(tmp_path: Path) -> None:
    for city in ('paris', 'rio', 'elsewhere'):
        make_city(tmp_path, city)
    assert [s['name'] for s in oscd(tmp_path, split='train').list_scenes()] == ['paris']
    assert [s['name'] for s in oscd(tmp_path, split='test').list_scenes()] == ['rio']
    assert len(oscd(tmp_path, split='all')) == 3
    assert len(oscd(tmp_path, split='all', exclude=['paris'])) == 2


def test_an_empty_change_mask_is_fine(tmp_path: Path) -> None:
    root = make_city(tmp_path)
    path = root / LABELS / 'paris' / 'cm' / 'cm.png'
    Image.fromarray(np.zeros((40, 30), np.uint8)).save(path)
    assert oscd(root)[0]['data_samples'].gt_sem_seg.data.sum() == 0


def test_pixels_without_data_are_ignored(tmp_path: Path) -> None:
    root = make_city(tmp_path)
    for path in (root / IMAGES / 'paris' / 'imgs_2').glob('*_B0[234].tif'):
        image = np.full((40, 30), 500, np.uint16)
        image[:4] = 0
        write_raster(path, image, crs='EPSG:32631', transform=(10, 0, 0, 0, -10, 400))
    label = oscd(root)[0]['data_samples'].gt_sem_seg.data[0]
    assert (label[:4] == 255).all()
    assert (label[4:] < 2).all()


@pytest.mark.parametrize(
    ('fault', 'message'),
    [
        ('nodata', r'_B04.tif: all values are nodata \(0\)'),
        ('crs', 'coordinate system differs'),
        ('label', r'cm.png: the label has 80x60 pixels, more than the image with 40x30'),
        ('value', 'found values 0, 9'),
        ('band', 'bands B04, B03, B02 are in none of'),
        ('bare', 'no cm/cm.png'),
    ],
)
def test_faults_name_file_and_value(tmp_path: Path, fault: str, message: str) -> None:
    crs = ('EPSG:32631', 'EPSG:32632') if fault == 'crs' else None
    root = make_city(tmp_path, label=(80, 60) if fault == 'label' else (40, 30), crs=crs)
    if fault == 'nodata':
        for path in (root / IMAGES / 'paris' / 'imgs_1').glob('*.tif'):
            write_raster(path, np.zeros((40, 30), np.uint16), crs='EPSG:32631')
    if fault == 'value':
        values = np.zeros((40, 30), np.uint8)
        values[3, 4] = 9
        Image.fromarray(values).save(root / LABELS / 'paris' / 'cm' / 'cm.png')
    if fault == 'band':
        next((root / IMAGES / 'paris' / 'imgs_2').glob('*_B03.tif')).unlink()
    if fault == 'bare':
        (root / LABELS / 'paris' / 'cm' / 'cm.png').unlink()
    with pytest.raises(DataError, match=message) as error:
        oscd(root)[0]
    assert 'paris' in str(error.value)


def test_absent_data_and_wrong_settings(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match='make_toy_data.py oscd'):
        oscd(tmp_path / 'nowhere')
    make_city(tmp_path)
    with pytest.raises(ConfigError, match='split'):
        oscd(tmp_path, split='trian')
    with pytest.raises(DataError, match="no scene 'pariss'"):
        oscd(tmp_path, include=['pariss'])
    with pytest.raises(ConfigError, match='sources: .* found natve'):
        oscd(tmp_path, sources='natve')


def test_one_name_need_not_be_a_list(tmp_path: Path) -> None:
    """From a command line, exclude=rio is a text; its letters are no cities."""
    for city in ('paris', 'rio', 'rome'):
        make_city(tmp_path, city)
    data = oscd(tmp_path, split='all', exclude='rio', sources='native')
    assert [info['name'] for info in data.load_data_list()] == ['paris', 'rome']
    assert len(oscd(tmp_path, split='all', include='rio')) == 1


def test_images_without_any_label(tmp_path: Path) -> None:
    root = make_city(tmp_path)
    shutil.rmtree(root / LABELS)
    with pytest.raises(DataNotFoundError, match='no city has a label under Onera'):
        len(oscd(root, split='all'))
    assert 'gt_sem_seg' not in oscd(root, split='all', need_labels=False)[0]['data_samples']


def test_dates_of_different_places(tmp_path: Path) -> None:
    root = make_city(tmp_path)
    for path in (root / IMAGES / 'paris' / 'imgs_2').glob('*_B0[234].tif'):
        image = np.full((40, 30), 500, np.uint16)
        write_raster(path, image, crs='EPSG:32631', transform=(10, 0, 20, 0, -10, 400))
    with pytest.raises(DataError, match=r'imgs_2/.*_B04.tif: lies 2 pixels away from .*imgs_1'):
        oscd(root)[0]


def test_file_names_and_dates(tmp_path: Path) -> None:
    for name in ('S2A_OPER_T22LHH_B8A.tif', 'T22LHH_20171015T133221_B01.TIF', 'B12.tif', 'x.tif'):
        (tmp_path / name).touch()
    assert sorted(band_files(tmp_path)) == ['B01', 'B12', 'B8A']
    assert read_dates(tmp_path / 'dates.txt') is None


@pytest.mark.realdata
class TestReal:
    """The eleven real cities."""

    def test_all_cities_in_colour(self, real_data: Path) -> None:
        data = oscd(real_data / 'oscd')
        assert len(data) == 11
        shares = {}
        for k in range(len(data)):
            sample = data[k]
            label = sample['data_samples'].gt_sem_seg.data
            assert {tuple(image.shape[1:]) for image in sample['inputs']} == {label.shape[1:]}
            shares[sample['data_samples'].name] = float((label == 1).double().mean())
        # The map of aguasclaras is RGB with gray levels; its tif says 1.640 %.
        assert shares['aguasclaras'] == pytest.approx(0.0164028, abs=1e-6)
        assert shares['paris'] == pytest.approx(0.0028783, abs=1e-6)
        assert shares['abudhabi'] == pytest.approx(0.0376139, abs=1e-6)

    def test_png_and_tif_labels_agree(self, real_data: Path) -> None:
        for folder in sorted((real_data / 'oscd' / LABELS).glob('*/cm')):
            city = folder.parent.name
            np.testing.assert_array_equal(
                read_change_map(folder / 'cm.png')[0],
                read_change_map(folder / f'{city}-cm.tif', '1/2')[0],
            )

    def test_native_bands_of_three_sizes(self, real_data: Path) -> None:
        cities = ['aguasclaras', 'bercy', 'nantes', 'paris', 'rennes']
        data = oscd(real_data / 'oscd', bands='ms', include=cities, sources=('native',), exclude=[
            'abudhabi', 'beihai', 'beirut', 'bordeaux', 'cupertino', 'hongkong',
        ])  # fmt: skip
        for k in (0, 3):
            images = data[k]['inputs']
            assert images[0].shape[0] == 13
            assert images[0].dtype == images[1].dtype
        # Bands of different resolution must lie on each other: red and the first red edge are most
        # alike without a shift.
        first = data[3]['inputs'][0].numpy().astype(float)
        red = first[3, 4:-4, 4:-4].ravel()
        alike = {
            (dy, dx): np.corrcoef(red, np.roll(first[4], (dy, dx), (0, 1))[4:-4, 4:-4].ravel())[
                0, 1
            ]
            for dy in (-1, 0, 1)
            for dx in (-1, 0, 1)
        }
        assert max(alike, key=alike.get) == (0, 0)

    def test_cities_without_bands_say_so(self, real_data: Path) -> None:
        with pytest.raises(DataError, match='abudhabi: bands .* are in none of'):
            len(oscd(real_data / 'oscd', bands='ms'))


def test_cities_of_another_world_are_named(tmp_path: Path) -> None:
    """Folders that the published lists do not know: the error says what is there."""
    for city in ('atlantis', 'utopia'):
        (tmp_path / 'Onera Satellite Change Detection dataset - Images' / city).mkdir(parents=True)
    with pytest.raises(DataError, match='no city of the train split is here, but atlantis, utopia'):
        len(DATASETS.build(dict(type='OSCD', data_root=str(tmp_path), split='train')))
