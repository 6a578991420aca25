import shutil
from collections import Counter

import cv2
import numpy as np
import pandas as pd
import pytest

from rsmm.datasets.eurosat import EuroSAT
from rsmm.datasets.packing import pack_dataset
from rsmm.errors import ConfigError, DataError, DataNotFoundError
from rsmm.sensors import RGB, band_order
from tests.datasets.chips import s2_chip, write_tif

LOAD = [dict(type='LoadRaster')]


def stems(dataset):
    paths = [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]
    return [path.rsplit('/', 1)[-1].rsplit('.', 1)[0] for path in paths]


@pytest.mark.parametrize(('bands', 'count'), [('rgb', 3), ('ms', 13), (['B8A', 'B4'], 2)])
def test_bands(tiny_eurosat, bands, count):
    dataset = EuroSAT(str(tiny_eurosat), bands=bands, split='all', pipeline=LOAD)
    assert len(dataset) == 24
    sample = dataset[9]
    assert sample['img'].shape == (64, 64, count)
    assert sample['img'].dtype == (np.uint8 if bands == 'rgb' else np.uint16)
    assert sample['gt_label'] == 1
    assert dataset.metainfo['bands'] == sample['bands']
    assert dataset.metainfo['classes'][1] == 'Forest'
    assert dataset.get_cat_ids(9) == [1]


def test_list_of_bands_is_taken_by_name(tiny_eurosat):
    both = EuroSAT(str(tiny_eurosat), bands=['B8A', 'B4'], split='all', pipeline=LOAD)[0]['img']
    everything = EuroSAT(str(tiny_eurosat), bands='ms', split='all', pipeline=LOAD)[0]['img']
    order = band_order('eurosat')
    np.testing.assert_array_equal(both[..., 0], everything[..., order.index('B8A')])
    np.testing.assert_array_equal(both[..., 1], everything[..., order.index('B04')])


def test_unpacked_archives_are_found(tiny_eurosat, tmp_path):
    nested = tmp_path / 'zip' / 'ds/images/remote_sensing/otherDatasets/sentinel_2'
    nested.mkdir(parents=True)
    shutil.move(tiny_eurosat / 'tif', nested / 'tif')
    assert len(EuroSAT(str(tmp_path / 'zip'), bands='ms', split='all')) == 24
    assert len(EuroSAT(str(nested / 'tif'), bands='ms', split='all')) == 24
    assert len(EuroSAT(str(tiny_eurosat / '2750'), split='all')) == 24


def test_rgb_and_multispectral_splits_agree(tiny_eurosat):
    for split in ('train', 'val'):
        rgb = EuroSAT(str(tiny_eurosat), split=split)
        multi = EuroSAT(str(tiny_eurosat), bands='ms', split=split)
        assert stems(rgb) == stems(multi)
    assert Counter(rgb.get_cat_ids(i)[0] for i in range(len(rgb))) == {0: 2, 1: 2, 8: 2}


def test_all_and_none_give_every_chip(tiny_eurosat):
    assert len(EuroSAT(str(tiny_eurosat), split=None)) == 24
    listed = EuroSAT(str(tiny_eurosat), split='all', split_file='nowhere.txt')
    assert len(listed) == 24


def test_list_file_with_placeholder(tiny_eurosat):
    (tiny_eurosat / 'my-val.txt').write_text('River_3.jpg\nForest_2.jpg\n')
    settings = dict(split='val', split_file=str(tiny_eurosat / 'my-{split}.txt'))
    for bands in ('rgb', 'ms'):
        dataset = EuroSAT(str(tiny_eurosat), bands=bands, **settings)
        assert stems(dataset) == ['Forest_2', 'River_3']
    (tiny_eurosat / 'my-val.txt').write_text('River_3.jpg\nRiver_99.jpg\n')
    with pytest.raises(DataError, match='River_99'):
        EuroSAT(str(tiny_eurosat), **settings)


def test_spatial_split(tiny_eurosat):
    names = stems(EuroSAT(str(tiny_eurosat), split='all'))
    table = pd.DataFrame({'image_id': [f'{n}.tif' for n in names]})
    # Chip n of every class stands in cell n: chips of one cell must stay together.
    table['lat'] = [40 + int(n.split('_')[1]) for n in names]
    table['lon'] = 7.1
    table.to_csv(tiny_eurosat / 'meta.csv', index=False)
    parts = [
        EuroSAT(
            str(tiny_eurosat),
            split=split,
            split_scheme='spatial',
            metadata=str(tiny_eurosat / 'meta.csv'),
        )
        for split in ('train', 'val')
    ]
    cells = [{stem.split('_')[1] for stem in stems(part)} for part in parts]
    assert not cells[0] & cells[1]
    assert cells[0] | cells[1] == set('12345678')
    assert [len(part) for part in parts] == [18, 6]
    info = parts[0].get_data_info(0)
    assert (info['lat'], info['lon']) == (40 + int(stems(parts[0])[0].split('_')[1]), 7.1)
    table.iloc[1:].to_csv(tiny_eurosat / 'meta.csv', index=False)
    with pytest.raises(DataError, match='1 of 24 chips have no place, e.g. AnnualCrop_1'):
        EuroSAT(str(tiny_eurosat), metadata=str(tiny_eurosat / 'meta.csv'))


def test_label_fraction(tiny_eurosat):
    dataset = EuroSAT(str(tiny_eurosat), split='train', label_fraction=0.5)
    assert len(dataset) == 9
    assert set(stems(dataset)) < set(stems(EuroSAT(str(tiny_eurosat), split='train')))


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(split='valid'), "Did you mean 'val'"),
        (dict(bands='rbg'), "neither 'rgb' nor 'ms'"),
        (dict(bands=[]), "neither 'rgb' nor 'ms'"),
        (dict(split_scheme='spatial'), 'where the chips are'),
        (dict(split_scheme='list'), 'belong together'),
        (dict(split_scheme='spacial'), "Did you mean 'spatial'"),
        (dict(split='test'), 'leave nothing'),
    ],
)
def test_bad_settings(tiny_eurosat, settings, message):
    with pytest.raises(ConfigError, match=message):
        EuroSAT(str(tiny_eurosat), **settings)


def test_unknown_band(tiny_eurosat):
    with pytest.raises(DataError, match='B13'):
        EuroSAT(str(tiny_eurosat), bands=['B13'])


def test_missing_and_empty_root(tmp_path):
    for root in (tmp_path / 'nowhere', tmp_path):
        with pytest.raises(DataNotFoundError, match='make_toy_data.py eurosat') as error:
            EuroSAT(str(root))
        assert str(root) in str(error.value)


def test_root_without_images(tiny_eurosat):
    for path in (tiny_eurosat / '2750').rglob('*.jpg'):
        path.unlink()
    with pytest.raises(DataNotFoundError, match='hold no .jpg files'):
        EuroSAT(str(tiny_eurosat))
    shutil.rmtree(tiny_eurosat / '2750')
    with pytest.raises(DataNotFoundError, match='no class folders') as error:
        EuroSAT(str(tiny_eurosat))
    # Toy data cannot be written into a folder that holds something else.
    assert '--out data/toy/eurosat' in str(error.value)


def test_unknown_class_folder(tiny_eurosat):
    (tiny_eurosat / '2750' / 'Forrest').mkdir()
    with pytest.raises(
        DataError, match=r"'Forrest' is not a class.*Did you mean 'Forest'"
    ) as error:
        EuroSAT(str(tiny_eurosat))
    assert str(tiny_eurosat / '2750' / 'Forrest') in str(error.value)
    # System folders are no classes, and the shadows of files that macOS writes no chips.
    (tiny_eurosat / '2750' / 'Forrest').rename(tiny_eurosat / '2750' / '__MACOSX')
    (tiny_eurosat / '2750' / 'River' / '._River_8.jpg').write_bytes(b'shadow')
    assert len(EuroSAT(str(tiny_eurosat), split='all')) == 24


def test_file_in_the_wrong_folder(tiny_eurosat):
    folder = tiny_eurosat / '2750'
    (folder / 'River' / 'River_8.jpg').rename(folder / 'Forest' / 'River_8.jpg')
    with pytest.raises(DataError, match='named River but lies in Forest'):
        EuroSAT(str(tiny_eurosat))


def test_native_band_order_is_noticed_without_names(tiny_eurosat):
    order, native = band_order('eurosat'), band_order('sentinel2-l1c')
    for path in (tiny_eurosat / 'tif').rglob('*.tif'):
        write_tif(path, s2_chip(0)[..., [order.index(band) for band in native]])
    with pytest.raises(DataError, match='band 11 is declared B11 but is the darkest') as error:
        EuroSAT(str(tiny_eurosat), bands='ms')
    assert '.tif' in str(error.value)


def test_one_chip_in_native_order_is_noticed_when_loaded(tiny_eurosat):
    order, native = band_order('eurosat'), band_order('sentinel2-l1c')
    path = tiny_eurosat / 'tif' / 'River' / 'River_8.tif'
    write_tif(path, s2_chip(0)[..., [order.index(band) for band in native]])
    dataset = EuroSAT(str(tiny_eurosat), bands='ms', split='all', pipeline=LOAD)
    with pytest.raises(DataError, match='River_8.tif: band 11 is declared B11 but is the darkest'):
        [dataset[i] for i in range(len(dataset))]
    trusted = [{**step, 'check_order': False} for step in LOAD[:1]] + LOAD[1:]
    dataset = EuroSAT(str(tiny_eurosat), bands='ms', split='all', pipeline=trusted)
    assert all(dataset[i] is not None for i in range(len(dataset)))


CHIPS = {
    'all zero': (lambda chip: chip * 0, 'all values are 0'),
    'saturated': (lambda chip: chip * 0 + 65535, 'all values are 65535'),
    'reflectance': (lambda chip: (chip / 10000).astype('float32'), 'reflectance rather than'),
    'absurd': (lambda chip: chip.astype('float32') * 0 + 3e38, 'holds values from 3e\\+38'),
    'negative': (lambda chip: chip.astype('float32') - 20000, 'from -1000 to 65535'),
}


@pytest.mark.parametrize('packed', [False, True])
@pytest.mark.parametrize(('change', 'message'), CHIPS.values(), ids=CHIPS)
def test_values_that_the_sensor_cannot_give(tiny_eurosat, tmp_path, change, message, packed):
    path = tiny_eurosat / 'tif' / 'River' / 'River_8.tif'
    write_tif(path, change(s2_chip(0)))
    dataset = EuroSAT(str(tiny_eurosat), bands='ms', split='all', pipeline=LOAD)

    def read_all() -> None:
        if packed:
            pack_dataset(dataset, tmp_path / 'pack')
        else:
            list(map(dataset.__getitem__, range(len(dataset))))

    with pytest.raises(DataError, match=rf'River_8\.tif.*{message}'):
        read_all()
    if 'all values' in message or packed:
        return
    trusting = [dict(type='LoadRaster', check_range=False)]
    dataset = EuroSAT(str(tiny_eurosat), bands='ms', split='all', pipeline=trusting)
    row = [i for i in range(len(dataset)) if dataset.get_data_info(i)['img_path'] == str(path)]
    assert dataset[row[0]]['img'].shape == (64, 64, 13)


def test_bad_chip_is_named_when_loaded(tiny_eurosat):
    dataset = EuroSAT(str(tiny_eurosat), bands='ms', split='all', pipeline=LOAD)
    for bad, message in (
        (s2_chip(0)[..., :12], 'expected 13 bands'),
        (s2_chip(0, size=60), 'expected 64x64 pixels, found 60x60'),
    ):
        path = write_tif(tiny_eurosat / 'tif/Forest/Forest_5.tif', bad)
        with pytest.raises(DataError, match=message) as error:
            [dataset[i] for i in range(24)]
        assert str(path) in str(error.value)


def test_packed_is_the_same_dataset(tiny_eurosat, tmp_path):
    folder = str(tmp_path / 'pack')
    pack_dataset(EuroSAT(str(tiny_eurosat), bands='ms', split='all', pipeline=LOAD), folder)
    for bands in ('ms', ['B8A', 'B02']):
        for split in ('train', 'val'):
            settings = dict(bands=bands, split=split, pipeline=LOAD)
            plain = EuroSAT(str(tiny_eurosat), **settings)
            packed = EuroSAT(packed=folder, **settings)
            assert len(plain) == len(packed)
            for one, two in zip(plain, packed, strict=True):
                np.testing.assert_array_equal(one['img'], two['img'])
                for key in ('bands', 'nodata', 'crs', 'transform', 'gt_label', 'img_shape'):
                    assert one[key] == two[key]
                assert one['img_path'].endswith(two['img_path'])
    subset = EuroSAT(str(tiny_eurosat), bands=['B02'], split='all', pipeline=LOAD)
    pack_dataset(subset, tmp_path / 'b02')
    with pytest.raises(DataError, match='B04 not among'):
        EuroSAT(packed=str(tmp_path / 'b02'), bands=['B04'])


@pytest.fixture(scope='module')
def root(real_data):
    return real_data / 'eurosat'


@pytest.mark.realdata
class TestRealFolder:
    """The 21,600 RGB chips and the 216 GeoTIFFs."""

    def test_split_sizes(self, root):
        parts = {split: EuroSAT(str(root), split=split) for split in ('train', 'val', 'all')}
        assert {k: len(v) for k, v in parts.items()} == {'train': 16200, 'val': 5400, 'all': 21600}
        assert not set(stems(parts['train'])) & set(stems(parts['val']))

    def test_spatial_split(self, root):
        table = str(root / 'eurosat_metadata.parquet')
        parts = [
            EuroSAT(str(root), split=split, split_scheme='spatial', metadata=table)
            for split in ('train', 'val')
        ]
        assert sum(map(len, parts)) == 21600
        assert len(parts[1]) / 21600 == pytest.approx(0.25, abs=0.03)
        cells = [
            {
                (i['lat'] // 0.25, i['lon'] // 0.25)
                for i in map(part.get_data_info, range(len(part)))
            }
            for part in parts
        ]
        assert not cells[0] & cells[1]

    def test_thirteen_bands_and_their_rgb_twins(self, root):
        rgb = EuroSAT(str(root), split='all', pipeline=LOAD)
        twins = {stem: index for index, stem in enumerate(stems(rgb))}
        multi = EuroSAT(
            str(root),
            bands=list(RGB),
            split='all',
            pipeline=[*LOAD, dict(type='ScaleMinMax', limits=(0, 2750), out='uint8')],
        )
        assert len(multi) == 216
        correlations = []
        for index, stem in enumerate(stems(multi)):
            scaled, colour = multi[index]['img'], rgb[twins[stem]]['img']
            pair = scaled.astype(float).ravel(), colour.astype(float).ravel()
            correlations.append(np.corrcoef(*pair)[0, 1])
        assert min(correlations) > 0.9
        assert np.median(correlations) > 0.99

    def test_a_wrong_order_would_be_noticed(self, root):
        multi = EuroSAT(str(root), bands='ms', split='all', pipeline=LOAD)
        twins = {s: i for i, s in enumerate(stems(EuroSAT(str(root), split='all')))}
        rgb = EuroSAT(str(root), split='all', pipeline=LOAD)
        chips = range(0, 216, 4)
        order = band_order('eurosat')
        right = [order.index(band) for band in RGB]

        def mean_correlation(positions):
            values = []
            for index in chips:
                colour = rgb[twins[stems_of_multi[index]]]['img'].astype(float)
                bands = multi[index]['img'][..., positions].astype(float)
                values.append(np.corrcoef(colour.ravel(), bands.ravel())[0, 1])
            return np.mean(values)

        stems_of_multi = stems(multi)
        assert mean_correlation(right) > mean_correlation(right[::-1]) + 0.1


def test_truncated_jpeg(tiny_eurosat):
    path = tiny_eurosat / '2750/River/River_4.jpg'
    path.write_bytes(path.read_bytes()[:-200])
    dataset = EuroSAT(str(tiny_eurosat), split='all', pipeline=LOAD)
    with pytest.raises(DataError, match='not a complete JPEG') as error:
        [dataset[i] for i in range(24)]
    assert str(path) in str(error.value)
    assert cv2.imread(str(tiny_eurosat / '2750/River/River_5.jpg')) is not None
