"""SpaceNet 7 on disk: layout, order of months, splits by place, odd files."""

import shutil

import numpy as np
import pytest
import shapely

from rsmm.datasets.building_tiles import BuildingTiles
from rsmm.datasets.spacenet7 import SpaceNet7Dataset, find_cubes
from rsmm.datasets.spacenet7_splits import neighbour_groups, select_aois, tile_position
from rsmm.datasets.transforms.footprints import read_footprints, read_mosaic
from rsmm.errors import ConfigError, DataError, DataNotFoundError
from rsmm.geo import write_raster
from rsmm.registry import DATASETS, TRANSFORMS

PIPELINE = [
    dict(type='LoadMosaic'),
    dict(type='LoadFootprints'),
    dict(type='RasterizeFootprints'),
    dict(type='PackFootprints', footprints=True),
]


def build(root, **settings):
    config = dict(type='SpaceNet7Dataset', data_root=str(root), serialize_data=False)
    return DATASETS.build(config | settings)


def test_months_are_ordered_and_gaps_are_normal(toy_spacenet7):
    cubes = find_cubes(toy_spacenet7 / 'train')
    assert [[frame.month for frame in frames] for frames in cubes.values()] == [
        [f'2018_{k:02d}' for k in range(1, 7)],
        ['2018_01', '2018_02', '2018_03', '2018_05', '2018_06'],
    ]
    frame = next(iter(cubes.values()))[0]
    assert frame.image.parent.name == 'images_masked'
    assert frame.label.parent.name == 'labels_match'
    assert len(frame.stem) == 58


def test_one_aoi_folder_and_imagery_alone(toy_spacenet7):
    (folder,) = (toy_spacenet7 / 'test_public').iterdir()
    (frames,) = find_cubes(folder).values()
    assert len(frames) == 6
    assert all(frame.label is None for frame in frames)
    dataset = build(toy_spacenet7, split='test_public', labels=None)
    assert len(dataset) == 6


@pytest.mark.parametrize('labels', ['labels_match', 'labels_match_pix', 'labels'])
def test_every_label_folder_gives_the_same_pixels(toy_spacenet7, labels):
    reference = build(toy_spacenet7, labels='labels_match_pix')
    dataset = build(toy_spacenet7, labels=labels)
    for index in (0, len(dataset) - 1):
        shapes = []
        for source in (reference, dataset):
            entry = source.get_data_info(index)
            _, place = read_mosaic(entry['img_path'])
            shapes.append(
                read_footprints(
                    entry['label_path'], place['crs'], place['transform'], entry['label_pixels']
                )
            )
        (expected, ids), (found, names) = shapes
        assert len(found) == len(expected) > 0
        assert not shapely.has_z(found).any()
        assert shapely.equals_exact(found, expected, 1e-3).all()
        if labels != 'labels':
            np.testing.assert_array_equal(names, ids)


def test_samples_carry_what_the_metrics_need(toy_spacenet7):
    dataset = build(toy_spacenet7, pipeline=PIPELINE)
    narrow = dataset[len(dataset) - 1]  # one pixel narrower than the others
    sample = narrow['data_samples']
    assert tuple(narrow['inputs'].shape) == (3, 64, 63)
    assert tuple(sample.gt_sem_seg.data.shape) == (1, 64, 63)
    assert sample.month == '2018_06'
    assert sample.aoi.startswith('L15-')
    assert len(sample.footprints) == len(sample.footprint_ids) > 0
    assert 0 < sample.gt_sem_seg.data.float().mean() < 0.6


def test_unusable_pixels_are_black_and_invalid(tmp_path):
    image = np.full((6, 6, 4), 200, np.uint8)
    image[0, :, 3] = 0
    cloud = np.zeros((6, 6), bool)
    cloud[3:, 3:] = True
    write_raster(tmp_path / 'image.tif', image)
    write_raster(tmp_path / 'udm.tif', cloud)
    pixels, found = read_mosaic(tmp_path / 'image.tif', tmp_path / 'udm.tif')
    expected = ~cloud
    expected[0] = False
    np.testing.assert_array_equal(found['valid'], expected)
    assert pixels.shape == (6, 6, 3)
    assert found['bands'] == ('R', 'G', 'B')
    paths = {'img_path': str(tmp_path / 'image.tif'), 'udm_path': str(tmp_path / 'udm.tif')}
    blank = TRANSFORMS.build(dict(type='LoadMosaic'))(dict(paths))['img']
    assert (blank[expected] == 200).all()
    assert not blank[~expected].any()
    assert TRANSFORMS.build(dict(type='LoadMosaic', blank=False))(dict(paths))['img'].all()


def test_identities_persist_and_buildings_come_and_go(toy_spacenet7):
    from rsmm.geo import read_submission, sightings

    cubes = read_submission(toy_spacenet7 / 'csvs' / 'sn7_train_ground_truth_pix.csv')
    starts = [seen[0] for cube in cubes.values() for seen in sightings(cube).values()]
    assert any(start > 0 for start in starts)
    for cube in cubes.values():
        for rows in cube.values():
            assert len({name for name, _ in rows}) == len(rows)


def test_frames_without_labels_are_left_out(toy_spacenet7, tmp_path):
    root = tmp_path / 'sn7'
    shutil.copytree(toy_spacenet7, root)
    next((root / 'train').glob('*/labels_match/*_2018_02_*.geojson')).unlink()
    whole = len(build(toy_spacenet7))
    assert len(build(root)) == whole - 1
    assert len(build(root, need_labels=False)) == whole


def test_subsets_by_place_are_disjoint(toy_spacenet7):
    parts = {
        subset: {entry['aoi'] for entry in build(toy_spacenet7, subset=subset).load_data_list()}
        for subset in ('train', 'val', 'all')
    }
    assert parts['train'] | parts['val'] == parts['all']
    assert not parts['train'] & parts['val']


def test_the_leaky_split_shares_places(toy_spacenet7):
    parts = [
        build(toy_spacenet7, subset=subset, leaky_frames=True, val_fraction=0.3).load_data_list()
        for subset in ('train', 'val')
    ]
    assert len(parts[0]) + len(parts[1]) == len(build(toy_spacenet7))
    assert {e['img_path'] for e in parts[0]}.isdisjoint(e['img_path'] for e in parts[1])
    assert {e['aoi'] for e in parts[0]} & {e['aoi'] for e in parts[1]}


NEIGHBOURS = [
    'L15-1669E-1160N_6678_3548_13',
    'L15-1669E-1160N_6679_3549_13',
    'L15-1203E-1203N_4815_3378_13',
    'L15-1204E-1202N_4816_3380_13',
    'L15-0331E-1257N_1327_3160_13',
]


def test_neighbours_stay_together():
    assert tile_position(NEIGHBOURS[0]) == (6678, 3548)
    groups = sorted(map(len, neighbour_groups(NEIGHBOURS)))
    assert groups == [1, 2, 2]
    held = select_aois(NEIGHBOURS, 'val', ['L15-1669E-1160N_6678'])
    assert held == sorted(NEIGHBOURS[:2])
    for seed in range(5):
        train, val = (select_aois(NEIGHBOURS, part, None, 0.3, seed) for part in ('train', 'val'))
        assert sorted(train + val) == sorted(NEIGHBOURS)
        assert not any(
            set(g) & set(train) and set(g) & set(val) for g in neighbour_groups(train + val)
        )


def test_chains_of_neighbours_are_one_group():
    chain = [f'L15-0000E-0000N_{1000 + 2 * k}_3000_13' for k in range(5)]
    assert neighbour_groups(chain[::-1]) == [chain]


def test_bad_settings(toy_spacenet7, tmp_path):
    with pytest.raises(DataNotFoundError, match=r'make_toy_data\.py spacenet7'):
        SpaceNet7Dataset(str(tmp_path / 'none'))
    with pytest.raises(DataNotFoundError, match='no such split'):
        build(toy_spacenet7, split='private')
    with pytest.raises(ConfigError, match='labels_match'):
        build(toy_spacenet7, labels='label_match')
    with pytest.raises(ConfigError, match='subset'):
        build(toy_spacenet7, subset='test')
    with pytest.raises(ConfigError, match='no AOI'):
        build(toy_spacenet7, subset='val', val_aois=['L15-9999'])
    with pytest.raises(ConfigError, match='no AOI is left'):
        select_aois(NEIGHBOURS[:2], 'train', None, 0.5)
    with pytest.raises(DataError, match=r'no frames with labels .*labels=None'):
        build(toy_spacenet7, split='test_public')
    with pytest.raises(DataError, match='no images'):
        find_cubes(toy_spacenet7 / 'csvs')
    with pytest.raises(DataError, match='does not end in'):
        tile_position('L15')


def test_other_band_counts_and_mask_sizes_are_refused(tmp_path):
    write_raster(tmp_path / 'one.tif', np.zeros((4, 4), np.uint8))
    with pytest.raises(DataError, match='expected RGB or RGBA, found 1'):
        read_mosaic(tmp_path / 'one.tif')
    write_raster(tmp_path / 'rgb.tif', np.zeros((4, 4, 3), np.uint8))
    write_raster(tmp_path / 'udm.tif', np.zeros((4, 5), bool))
    with pytest.raises(DataError, match=r'size \(4, 5\)'):
        read_mosaic(tmp_path / 'rgb.tif', tmp_path / 'udm.tif')
    write_raster(tmp_path / 'udm.tif', np.full((4, 4), 7, np.uint8))
    with pytest.raises(DataError, match='mask of 0 and 255'):
        read_mosaic(tmp_path / 'rgb.tif', tmp_path / 'udm.tif')


@pytest.mark.realdata
def test_real_monthly_stacks(real_data):
    cubes = find_cubes(real_data / 'spacenet7_128px')
    assert len(cubes) == 6
    assert all(18 <= len(frames) <= 26 for frames in cubes.values())
    for frames in cubes.values():
        months = [frame.month for frame in frames]
        assert months == sorted(months)
        image, found = read_mosaic(frames[0].image)
        assert image.shape == (128, 128, 3)
        assert found['valid'].all()


@pytest.mark.realdata
def test_real_vegas_tiles(real_data):
    dataset = BuildingTiles(
        str(real_data / 'spacenet2_vegas'),
        exclude=['AOI_2_Vegas_img225'],
        pipeline=[
            TRANSFORMS.build(dict(type='LoadRaster')),
            *(TRANSFORMS.build(step) for step in PIPELINE[1:]),
        ],
    )
    assert [dataset.get_data_info(k)['aoi'] for k in range(3)] == [
        f'AOI_2_Vegas_img{number}' for number in (1265, 1385, 1488)
    ]
    counts = []
    for sample in (dataset[k] for k in range(3)):
        assert tuple(sample['inputs'].shape) == (3, 650, 650)
        footprints = sample['data_samples'].footprints
        bounds = shapely.total_bounds(footprints)
        assert bounds.min() > -1
        assert bounds.max() < 651
        counts.append(len(footprints))
    assert counts == [49, 3, 29]
    with pytest.raises(DataError, match='no tile img7'):
        BuildingTiles(str(real_data / 'spacenet2_vegas'), include=['img7'])
    name = 'AOI_2_Vegas_img225'
    with pytest.raises(DataError, match='no tile is left'):
        BuildingTiles(str(real_data / 'spacenet2_vegas'), include=[name], exclude=[name])
