"""Dated images of any size as packed places for the contrastive methods."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from rsmm.datasets.caco import CACoDataset
from rsmm.datasets.scene_shards import SceneShards
from rsmm.datasets.seco import SeCoDataset
from rsmm.datasets.stack_tiles import (
    file_day,
    find_file_stacks,
    find_oscd_stacks,
    pack_stacks,
    read_image,
)
from rsmm.errors import DataError, DataNotFoundError
from rsmm.sensors import RGB, band_order

pytestmark = pytest.mark.filterwarnings('ignore::rasterio.errors.NotGeoreferencedWarning')


def write_tif(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width, count = image.shape
    with rasterio.open(
        path, 'w', driver='GTiff', height=height, width=width, count=count, dtype=image.dtype
    ) as file:
        file.write(np.moveaxis(image, -1, 0))


def noise(seed: int, height: int = 20, width: int = 26, dtype: str = 'uint8') -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 256, (height, width, 3)).astype(dtype)


@pytest.fixture
def root(tmp_path) -> Path:
    for number, month in enumerate(('2019_11', '2018_01', '2018_07')):
        image = noise(number, height=20 + number)
        write_tif(tmp_path / 'in' / 'area_7' / 'images' / f'mosaic_{month}_area.tif', image)
    return tmp_path / 'in'


@pytest.mark.parametrize(
    ('name', 'day'),
    [
        ('global_monthly_2018_01_mosaic_L15-0368E-1245N_1474_3210_13', '20180101'),
        ('S2A_OPER_MSI_L1C_TL_MPS__20161130T130757_A007527_T31UDQ_B07', '20161130'),
        ('scene-2020-02-29', '20200229'),
        ('tile_1474_3210_13', None),
        ('20201399', None),
        ('mosaic_20190229', None),
    ],
)
def test_days_in_file_names(name: str, day: str | None) -> None:
    assert file_day(name) == day


def test_tiles_are_places_and_dates_their_scenes(root, tmp_path) -> None:
    stacks = find_file_stacks(root)
    assert list(stacks['area_7']) == ['20180101', '20180701', '20191101']
    pack_stacks(stacks, tmp_path / 'out', bands=RGB, size=10, stride=8)
    shards = SceneShards(tmp_path / 'out')
    # The dates share 20 x 26 pixels: two rows and three columns of tiles.
    assert len(shards) == 2 * 3 * 3
    for top in (0, 8):
        for left in (0, 8, 16):
            place = f'area_7_{top:05d}_{left:05d}'
            expected = noise(1, height=21)[top : top + 10, left : left + 10]
            np.testing.assert_array_equal(shards.read(f'{place}/20180101', RGB), expected)
    data = SeCoDataset(packed=str(tmp_path / 'out'), mode='seco', bands=RGB)
    assert len(data) == 6
    assert [scene['date'] for scene in data.get_data_info(0)['scenes']] == [
        '2018-01-01', '2018-07-01', '2019-11-01',
    ]  # fmt: skip


def test_full_scale_brings_reflectance_to_bytes(tmp_path) -> None:
    image = np.full((8, 8, 3), 5000, np.uint16)
    image[..., 1] = 20_000
    write_tif(tmp_path / 'in/a/2020-01-02.tif', image)
    pack_stacks(
        find_file_stacks(tmp_path / 'in'), tmp_path / 'out', bands=RGB, size=8, full_scale=10_000
    )
    tile = SceneShards(tmp_path / 'out').read('a_00000_00000/20200102', RGB)
    assert tile.dtype == np.uint8
    assert tile[0, 0].tolist() == [127, 255, 127]


def test_empty_tiles_of_a_date_are_left_out(root, tmp_path) -> None:
    image = noise(1, height=21)
    image[:10, :10] = 0
    write_tif(root / 'area_7/images/mosaic_2018_01_area.tif', image)
    pack_stacks(find_file_stacks(root), tmp_path / 'out', bands=RGB, size=10)
    places = SceneShards(tmp_path / 'out').places()
    assert len(places['area_7_00000_00000']) == 2
    assert len(places['area_7_00000_00010']) == 3


def test_bad_stacks(root, tmp_path) -> None:
    with pytest.raises(DataNotFoundError, match='no dated images'):
        find_file_stacks(root / 'area_7' / 'images')
    with pytest.raises(DataError, match='no tile of 64'):
        pack_stacks(find_file_stacks(root), tmp_path / 'out', bands=RGB, size=64)
    write_tif(root / 'area_7/images/mosaic_2018_07_other.tif', noise(5))
    with pytest.raises(DataError, match='same day'):
        find_file_stacks(root)
    (root / 'area_7/images/mosaic_2018_07_other.tif').unlink()
    write_tif(root / 'area_7/images/mosaic_2018_07_area.tif', noise(5, dtype='uint16'))
    with pytest.raises(DataError, match='one dtype'):
        pack_stacks(find_file_stacks(root), tmp_path / 'mixed', bands=RGB, size=10)


@pytest.mark.realdata
def test_spacenet_months_feed_the_paired_methods(real_data, tmp_path) -> None:
    stacks = find_file_stacks(real_data / 'spacenet7_128px')
    assert len(stacks) == 6
    assert all(18 <= len(dates) <= 26 for dates in stacks.values())
    one = {name: stacks[name] for name in list(stacks)[:1]}
    pack_stacks(one, tmp_path / 'out', bands=RGB, size=64)
    data = CACoDataset(packed=str(tmp_path / 'out'), mode='caco', bands=RGB)
    assert len(data) == 2 * 4
    old, new = (data.get_data_info(index)['scenes'][0]['date'] for index in (0, 1))
    assert old < new


@pytest.mark.realdata
def test_oscd_pairs_feed_the_band_group_methods(real_data, tmp_path) -> None:
    bands = band_order('seco')
    stacks = find_oscd_stacks(real_data / 'oscd', bands)
    assert set(stacks) == {'aguasclaras', 'bercy', 'nantes', 'paris', 'rennes'}
    images = [read_image(source, bands) for source in stacks['bercy'].values()]
    assert all(image.shape[2] == 12 and image.dtype == np.uint16 for image in images)
    one = {'bercy': stacks['bercy']}
    pack_stacks(one, tmp_path / 'out', bands=bands, size=64, full_scale=10_000)
    data = SeCoDataset(packed=str(tmp_path / 'out'), mode='saco', bands='seco')
    assert len(data) == 2 * data.num_places() > 40
