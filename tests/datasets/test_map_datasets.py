"""GID, LoveDA and folders of change pairs: layouts, labels, real samples, broken files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rsmm.datasets.classes import CLASSES, PALETTES
from rsmm.datasets.transforms.labels import colours_to_index, index_to_colours
from rsmm.errors import ConfigError, DataError, DataNotFoundError
from rsmm.geo.io import write_raster
from rsmm.registry import DATASETS, TRANSFORMS

MAP = [dict(type='LoadRaster'), dict(type='LoadLabelMap'), dict(type='PackMap')]
PAIR = [dict(type='LoadPair'), dict(type='PackMap')]


def build(kind: str, root: Path, pipeline=MAP, **settings):
    return DATASETS.build(dict(type=kind, data_root=str(root), pipeline=pipeline, **settings))


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.mark.parametrize('name', ['gid5', 'gid15', 'pastis', 'loveda', 'change'])
def test_palettes_are_distinct_and_complete(name: str) -> None:
    assert len(PALETTES[name]) == len(CLASSES[name]) == len(set(PALETTES[name]))


@pytest.mark.parametrize('name', ['gid5', 'gid15', 'pastis'])
def test_colours_and_indices_are_inverse(name: str) -> None:
    index = np.random.default_rng(0).integers(0, len(PALETTES[name]), (9, 7)).astype(np.uint8)
    colours = index_to_colours(index, PALETTES[name])
    np.testing.assert_array_equal(colours_to_index(colours, PALETTES[name]), index)


@pytest.mark.parametrize('channel', [0, 1, 2])
def test_a_colour_off_by_one_is_refused(channel: int) -> None:
    colours = index_to_colours(np.full((4, 4), 2, np.uint8), PALETTES['gid15'])
    colours[3, 1, channel] ^= 1
    with pytest.raises(DataError, match=r'x.tif: .*row 3, column 1 .*\(1 pixels\).* class 2'):
        colours_to_index(colours, PALETTES['gid15'], 'x.tif')


def make_gid(root: Path, colour: bool, size=(50, 40)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    index = rng.integers(0, 6, size, dtype=np.uint8)
    stem = 'GF2_PMS1__20150902_L1A0000647767-MSS1'
    write_raster(root / 'image_RGB' / f'{stem}.tif', image)
    label = index_to_colours(index, PALETTES['gid5']) if colour else index
    write_raster(root / 'label_5classes' / f'{stem}_label.tif', label)
    return image, index


@pytest.mark.parametrize('colour', [True, False])
def test_gid_labels_as_colours_or_indices(tmp_path: Path, colour: bool) -> None:
    image, index = make_gid(tmp_path, colour)
    data = build('GID', tmp_path, split='all', tile=32)
    assert len(data) == 4
    sample = data[3]
    np.testing.assert_array_equal(sample['inputs'].permute(1, 2, 0), image[32:, 32:])
    label = sample['data_samples'].gt_sem_seg.data[0].numpy()
    np.testing.assert_array_equal(label, np.where(index == 0, 255, index)[32:, 32:])
    assert data.metainfo['classes'] == CLASSES['gid5']


def test_gid15_in_split_folders(tmp_path: Path) -> None:
    for split, number in (('train', 3), ('val', 7)):
        save(tmp_path / 'img_dir' / split / f'{number}.tif', np.zeros((8, 8, 3), np.uint8))
        label = np.full((8, 8), number, np.uint8)
        save(tmp_path / 'ann_dir' / split / f'{number}_15label.png', label)
    data = build('GID', tmp_path, num_classes=15, split='val')
    assert len(data) == 1
    assert (data[0]['data_samples'].gt_sem_seg.data == 7).all()
    assert len(build('GID', tmp_path, num_classes=15, split='all')) == 2


def test_gid_faults(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='num_classes=7'):
        build('GID', tmp_path, num_classes=7)
    (tmp_path / 'x').mkdir()
    with pytest.raises(DataNotFoundError, match='label_5classes'):
        len(build('GID', tmp_path))
    make_gid(tmp_path, colour=False)
    label = next((tmp_path / 'label_5classes').glob('*'))
    values = np.zeros((50, 40), np.uint8)
    values[7, 9] = 6
    write_raster(label, values)
    with pytest.raises(DataError, match='label 6 at row 7, column 9 is outside 0..5'):
        build('GID', tmp_path, split='all')[0]
    write_raster(label, np.zeros((60, 40), np.uint8))
    with pytest.raises(DataError, match='60x40 pixels, more than the image with 50x40'):
        build('GID', tmp_path, split='all')[0]
    label.unlink()
    with pytest.raises(DataError, match='has no label'):
        build('GID', tmp_path, split='all')[0]


def test_gid_labels_are_compared_with_the_whole_image(tmp_path: Path) -> None:
    """Every tile fits into a label that is too large."""
    make_gid(tmp_path, colour=False)
    label = next((tmp_path / 'label_5classes').glob('*'))
    write_raster(label, np.zeros((60, 50), np.uint8))
    with pytest.raises(DataError, match='60x50 pixels, more than the image with 50x40'):
        len(build('GID', tmp_path, split='all', tile=10))
    write_raster(label, np.full((50, 40), 2.5, np.float32))
    with pytest.raises(DataError, match=r'label 2\.5 at row 0'):
        build('GID', tmp_path, split='all')[0]


def test_own_folders_come_in_pairs(tmp_path: Path) -> None:
    make_gid(tmp_path, colour=False)
    with pytest.raises(ConfigError, match='img_dir and ann_dir'):
        build('GID', tmp_path, img_dir='image_RGB')
    with pytest.raises(DataNotFoundError, match=r'no image and label folder \(a, b\)'):
        len(build('GID', tmp_path, img_dir='a', ann_dir='b'))


@pytest.mark.parametrize('settings', [{'split': 'final'}, {'scenes': ('city',)}, {'scenes': ()}])
def test_loveda_settings(tmp_path: Path, settings: dict) -> None:
    save(tmp_path / 'Train/Urban/images_png/1.png', np.zeros((8, 8, 3), np.uint8))
    save(tmp_path / 'Train/Urban/masks_png/1.png', np.full((8, 8), 7, np.uint8))
    with pytest.raises(ConfigError, match='scenes: Urban, Rural'):
        build('LoveDA', tmp_path, **settings)
    assert (build('LoveDA', tmp_path, scenes='Urban')[0]['data_samples'].gt_sem_seg.data == 6).all()


def test_loveda_parts(tmp_path: Path) -> None:
    """The published test part has no masks: it is there to be predicted."""
    for part, scene in (('Train', 'Urban'), ('Val', 'Urban'), ('Val', 'Rural'), ('Test', 'Rural')):
        save(tmp_path / part / scene / 'images_png/1.png', np.zeros((8, 8, 3), np.uint8))
        if part != 'Test':
            mask = np.full((8, 8), 7, np.uint8)
            save(tmp_path / part / scene / 'masks_png' / '1.png', mask)
    assert len(build('LoveDA', tmp_path, split='val', scenes='rural')) == 1
    assert len(build('LoveDA', tmp_path, split='all', scenes='urban')) == 2
    (sample,) = build('LoveDA', tmp_path, split='test', scenes='rural')
    assert 'gt_sem_seg' not in sample['data_samples']


def test_gid_without_labels_is_there_to_be_predicted(tmp_path: Path) -> None:
    make_gid(tmp_path, colour=True)
    label = next((tmp_path / 'label_5classes').glob('*'))
    label.unlink()
    (sample,) = build('GID', tmp_path, split='all', unlabelled='keep')
    assert 'gt_sem_seg' not in sample['data_samples']


@pytest.mark.parametrize('split', ['train', 'val', 'test'])
def test_pairs_in_one_folder_are_split_by_their_names(tmp_path: Path, split: str) -> None:
    for name in ('train_1', 'train_2', 'val_1', 'test_1'):
        for folder in ('A', 'B'):
            save(tmp_path / folder / f'{name}.png', np.full((8, 8, 3), 9, np.uint8))
        save(tmp_path / 'label' / f'{name}.png', np.zeros((8, 8), np.uint8))
    data = build('ChangeFolder', tmp_path, PAIR, split=split)
    names = [data.get_data_info(i)['name'] for i in range(len(data))]
    assert names == [f'{split}_{i + 1}' for i in range(2 if split == 'train' else 1)]


def test_nodata_tile_is_refused(tmp_path: Path) -> None:
    make_gid(tmp_path, colour=True)
    image = next((tmp_path / 'image_RGB').glob('*'))
    write_raster(image, np.zeros((50, 40, 3), np.uint8), nodata=0)
    with pytest.raises(DataError, match=r'all values are nodata \(0\)'):
        build('GID', tmp_path, split='all')[0]


def make_pairs(root: Path, names=('a', 'b')) -> None:
    rng = np.random.default_rng(0)
    for name in names:
        for folder in 'AB':
            save(root / folder / f'{name}.png', rng.integers(0, 256, (20, 24, 3), dtype=np.uint8))
        save(root / 'label' / f'{name}.png', (rng.random((20, 24)) < 0.2).astype(np.uint8) * 255)


def test_change_folder(tmp_path: Path) -> None:
    make_pairs(tmp_path)
    data = build('ChangeFolder', tmp_path, PAIR)
    assert len(data) == 2
    assert len(data[0]['inputs']) == 2
    assert set(data[1]['data_samples'].gt_sem_seg.data.unique().tolist()) == {0, 1}


def test_change_folder_faults(tmp_path: Path) -> None:
    make_pairs(tmp_path)
    save(tmp_path / 'B' / 'b.png', np.zeros((21, 24, 3), np.uint8))
    with pytest.raises(DataError, match='b.png: has 21x24 pixels, expected 20x24'):
        build('ChangeFolder', tmp_path, PAIR)[1]
    (tmp_path / 'label' / 'a.png').unlink()
    with pytest.raises(DataError, match="a.png: has no label .*unlabelled='skip'"):
        len(build('ChangeFolder', tmp_path, PAIR))
    assert len(build('ChangeFolder', tmp_path, PAIR, unlabelled='skip')) == 1
    assert 'gt_sem_seg' not in build('ChangeFolder', tmp_path, PAIR, unlabelled='keep')[0]
    (tmp_path / 'A' / 'a.png').unlink()
    with pytest.raises(DataError, match=r'B/a.png: has no counterpart in A/'):
        len(build('ChangeFolder', tmp_path, PAIR))


def test_pair_of_two_coordinate_systems(tmp_path: Path) -> None:
    make_pairs(tmp_path, ())
    for folder, crs in (('A', 'EPSG:32631'), ('B', 'EPSG:32632')):
        image = np.ones((8, 8, 3), np.uint8)
        write_raster(tmp_path / folder / 'x.tif', image, crs=crs, transform=(1, 0, 0, 0, -1, 0))
    save(tmp_path / 'label' / 'x.png', np.zeros((8, 8), np.uint8))
    with pytest.raises(DataError, match='zone 32N and WGS 84 / UTM zone 31N'):
        build('ChangeFolder', tmp_path, PAIR)[0]


def write_pair(root: Path, images, places, **settings) -> None:
    for folder, image, place in zip('AB', images, places, strict=True):
        write_raster(root / folder / 'x.tif', image, crs='EPSG:32631', transform=place, **settings)
    save(root / 'label' / 'x.png', np.zeros(images[0].shape[:2], np.uint8))


@pytest.mark.parametrize(
    ('place', 'message'),
    [
        ((1, 0, 5000, 0, -1, 0), 'lies 5e[+]03 pixels away'),
        ((2, 0, 0, 0, -2, 0), 'lies 8 pixels away'),
        ((1, 0, 0.3, 0, -1, 0), None),
        (None, None),
    ],
)
def test_pair_of_two_places(tmp_path: Path, place, message: str | None) -> None:
    write_pair(tmp_path, [np.ones((8, 8, 3), np.uint8)] * 2, [(1, 0, 0, 0, -1, 0), place])
    if message is None:
        assert len(build('ChangeFolder', tmp_path, PAIR)[0]['inputs']) == 2
        return
    with pytest.raises(DataError, match=f'B/x.tif: {message} from .*A/x.tif'):
        build('ChangeFolder', tmp_path, PAIR)[0]


@pytest.mark.parametrize('nodata', [None, np.nan])
def test_pixels_without_number_do_not_count(tmp_path: Path, nodata) -> None:
    first = np.ones((8, 8, 3), np.float32)
    second = first.copy()
    second[:3, :, 1] = np.nan
    write_pair(tmp_path, (first, second), [(1, 0, 0, 0, -1, 0)] * 2, nodata=nodata)
    sample = build('ChangeFolder', tmp_path, PAIR)[0]
    assert all(image.isfinite().all() for image in sample['inputs'])
    label = sample['data_samples'].gt_sem_seg.data[0]
    assert (label[:3] == 255).all()
    assert (label[3:] == 0).all()
    write_pair(tmp_path, (first, np.full_like(first, np.nan)), [(1, 0, 0, 0, -1, 0)] * 2)
    with pytest.raises(DataError, match='B/x.tif: all values are NaN'):
        build('ChangeFolder', tmp_path, PAIR)[0]


def pair_results(seed: int = 0, size: int = 12) -> dict:
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 2000, (size, size, 2), dtype=np.uint16)
    label = (first[..., 0] > 1000).astype(np.uint8)
    stack = np.stack([first, first + 1], axis=2)
    return {
        'img': stack,
        'gt_seg_map': label,
        'seg_fields': ['gt_seg_map'],
        'bands': ('B04', 'B03'),
        'img_paths': ('1', '2'),
    }


@pytest.mark.parametrize(
    'step',
    [dict(type='RandomDihedral'), dict(type='RandomCropMap', size=5), dict(type='PadMap', size=20)],
)
def test_geometry_is_the_same_for_dates_and_label(step: dict) -> None:
    np.random.seed(4)
    transform = TRANSFORMS.build(step)
    for seed in range(8):
        found = transform(pair_results(seed))
        image, label = found['img'], found['gt_seg_map']
        inside = label != 255
        np.testing.assert_array_equal(image[inside, 1], image[inside, 0] + 1)
        np.testing.assert_array_equal((image[..., 0, 0] > 1000)[inside], label[inside] == 1)


def test_crops_seek_rare_change() -> None:
    results = pair_results(size=64)
    results['gt_seg_map'] = np.zeros((64, 64), np.uint8)
    results['gt_seg_map'][50, 3] = 1
    np.random.seed(0)
    for focus, low, high in ((1.0, 1.0, 1.0), (0.0, 0.0, 0.2)):
        crop = TRANSFORMS.build(dict(type='RandomCropMap', size=8, focus=focus))
        hits = [crop({**results})['gt_seg_map'].any() for _ in range(60)]
        assert low <= np.mean(hits) <= high


def test_photometry_is_drawn_per_date() -> None:
    np.random.seed(0)
    jitter = dict(type='RandomBrightnessContrast', prob=1.0)
    results = pair_results()
    results['img'] = np.repeat(results['img'][:, :, :1], 2, axis=2)
    before = results['img'].copy()
    found = TRANSFORMS.build(dict(type='PerDate', transforms=[jitter]))(results)
    assert (found['img'][:, :, 0] != found['img'][:, :, 1]).any()
    np.testing.assert_array_equal(results['gt_seg_map'], pair_results()['gt_seg_map'])
    assert before.shape == found['img'].shape
    crop = dict(type='RandomResizedCrop', size=4)
    resizing = TRANSFORMS.build(dict(type='PerDate', transforms=[crop]))
    with pytest.raises(ConfigError, match='size'):
        resizing(pair_results())


def test_bands_are_selected_in_every_date() -> None:
    found = TRANSFORMS.build(dict(type='SelectBands', bands=['B03']))(pair_results())
    np.testing.assert_array_equal(found['img'], pair_results()['img'][..., 1:])


def test_swapping_keeps_the_truth() -> None:
    found = TRANSFORMS.build(dict(type='SwapDates', prob=1.0))(pair_results())
    np.testing.assert_array_equal(found['img'], pair_results()['img'][:, :, ::-1])
    np.testing.assert_array_equal(found['gt_seg_map'], pair_results()['gt_seg_map'])
    assert found['img_paths'] == ('2', '1')


@pytest.mark.realdata
class TestReal:
    """Every real sample loads."""

    @pytest.mark.parametrize(('classes', 'count'), [(5, 80), (15, 34)])
    def test_gid(self, real_data: Path, classes: int, count: int) -> None:
        data = build('GID', real_data / f'gid_mtl{classes}', num_classes=classes, split='all')
        assert len(data) == count
        seen = set()
        for k in range(count):
            label = data[k]['data_samples'].gt_sem_seg.data
            assert data[k]['inputs'].shape[1:] == label.shape[1:]
            seen |= set(label.unique().tolist())
        assert seen - {255} == set(range(1, classes + 1))
        parts = [build('GID', real_data / f'gid_mtl{classes}', num_classes=classes, split=split)
                 for split in ('train', 'val')]  # fmt: skip
        names = [{info['name'] for info in part.load_data_list()} for part in parts]
        assert not names[0] & names[1]
        assert sum(map(len, names)) == count

    def test_loveda(self, real_data: Path) -> None:
        data = build('LoveDA', real_data / 'loveda_samples')
        assert len(data) == 2
        assert data[0]['inputs'].shape == (3, 1024, 1024)
        assert data[1]['data_samples'].gt_sem_seg.data.unique().tolist() == [0, 1, 2, 3, 5, 6]

    def test_levir_and_dsifn(self, real_data: Path) -> None:
        levir = build('ChangeFolder', real_data / 'levir_samples', PAIR, unlabelled='skip')
        dsifn = build('ChangeFolder', real_data / 'dsifn_samples', PAIR)
        assert (len(levir), len(dsifn)) == (7, 6)
        for data in (levir, dsifn):
            for k in range(len(data)):
                sample = data[k]
                assert [tuple(image.shape) for image in sample['inputs']] == [(3, 256, 256)] * 2
                assert set(sample['data_samples'].gt_sem_seg.data.unique().tolist()) <= {0, 1}
        # One pair of LEVIR came without a label.
        with pytest.raises(DataError, match=r'test_113_0256.png: has no label'):
            len(build('ChangeFolder', real_data / 'levir_samples', PAIR))
