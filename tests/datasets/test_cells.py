"""Series of dated images in their layouts, and what is wrong with some."""

import datetime as dt
import shutil

import numpy as np
import pytest
from PIL import Image

from rsmm.datasets.cells import find_cells
from rsmm.datasets.dates import date_of, read_dates
from rsmm.errors import DataError, DataNotFoundError
from rsmm.geo.io import write_raster

DATES = {
    'bbox31750_30050_2018_00': (2018, 1, 1),  # months 00..11
    'bbox-70_-5_2018_11': (2018, 12, 1),
    'global_monthly_2019_05_mosaic_L15-0368E-1245N_1474_3210_13': (2019, 5, 1),
    'S2A_20180131T101021_T31': (2018, 1, 31),
    'place_2018-01-31': (2018, 1, 31),
    'place_2018.02': (2018, 2, 1),
    '04_sentinel_New_Cairo_2016_rgb_8bit': (2016, 1, 1),
    'tile_3005_3175': None,
    'readme': None,
}


@pytest.mark.parametrize(('stem', 'expected'), DATES.items())
def test_dates_in_names(stem, expected):
    assert date_of(f'{stem}.tif') == (None if expected is None else dt.date(*expected))


@pytest.mark.parametrize('stem', ['bbox1_1_2018_12', 'global_monthly_2018_13_mosaic_x'])
def test_dates_that_are_none(stem):
    with pytest.raises(DataError, match='Rename it'):
        date_of(f'{stem}.jpg')


def picture(path, value=100, size=(16, 20)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), value, np.uint8)).save(path)
    return path


def cairo(root, months=range(4), name='3005_3175'):
    for month in months:
        picture(root / name / f'bbox31750_30050_2018_{month:02d}.jpg', 10 * month)
    return root


def test_cairo_cells_in_order_with_their_place(tmp_path):
    cairo(tmp_path, (3, 0, 7))
    (tmp_path / 'masks').mkdir()  # no dated images: passed over
    (cell,) = find_cells(tmp_path)
    assert (cell.name, cell.months) == ('3005_3175', ['2018-01', '2018-04', '2018-08'])
    values, valid = cell.read(1)
    assert values.dtype == np.float32
    assert values.shape == (3, 16, 20)
    assert values.mean() == pytest.approx(30 / 255, abs=0.01)
    assert valid.all()
    place = cell.place()
    assert place['crs'] == 'EPSG:4326'
    assert place['transform'] == pytest.approx((0.05 / 20, 0, 31.75, 0, -0.05 / 16, 30.1))
    assert find_cells(tmp_path / '3005_3175')[0].months == cell.months


def test_cloud_images_beside_and_apart(tmp_path):
    cairo(tmp_path / 'cells')
    folder = tmp_path / 'cells' / '3005_3175'
    picture(folder / 'bbox31750_30050_2018_01_cloud.jpg', 255)
    picture(folder / 'bbox31750_30050_2018_09_cloud.jpg')
    (cell,) = find_cells(tmp_path / 'cells')
    assert len(cell) == 4
    assert cell.read_clouds(1, (16, 20)).min() > 250
    assert cell.read_clouds(0, (16, 20)).max() == 0
    assert any('1 cloud images without an image' in note for note in cell.notes)
    assert any('3 images without a cloud image' in note for note in cell.notes)
    picture(tmp_path / 'sky/3005_3175/bbox31750_30050_2018_02.jpg', 200, (8, 8))
    (cell,) = find_cells(tmp_path / 'cells', clouds=tmp_path / 'sky')
    with pytest.raises(DataError, match='cloud image of 8x8, its frame is 16x20. Resample'):
        cell.read_clouds(2, (16, 20))


def test_stacks_of_geotiff_with_bands_and_nodata(tmp_path):
    image = np.full((12, 10, 4), 5000, np.uint16)
    image[:3] = 0
    where = {'crs': 'EPSG:32636', 'transform': (10, 0, 300_000, 0, -10, 3_300_000)}
    for day in ('2019-03-02', '2018-12-31', '2019-01-15'):
        path = tmp_path / 'site' / f'site_{day}.tif'
        write_raster(path, image, nodata=0, bands=('B04', 'B03', 'B02', 'B08'), **where)
    (cell,) = find_cells(tmp_path)
    assert cell.months == ['2018-12', '2019-01', '2019-03']
    values, valid = cell.read(0, ('B08', 'B04'))
    assert values.shape == (2, 12, 10)
    assert valid.sum() == 90
    assert (values[:, valid] == 0.5).all()
    assert cell.place()['transform'] == pytest.approx(where['transform'])


def test_dates_from_a_table(tmp_path):
    for name in ('a.png', 'b.png', 'c.png'):
        picture(tmp_path / 'site' / name)
    with pytest.raises(DataError, match='no images with a date'):
        find_cells(tmp_path)
    (tmp_path / 'dates.csv').write_text('file,date\na.png,2019-02\nsite/b.png,2018-05-06\n')
    (cell,) = find_cells(tmp_path)
    assert [frame.image.name for frame in cell.frames] == ['b.png', 'a.png']
    assert cell.notes == ('1 images without a date left out (c.png)',)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('name,when\na,b\n', 'Expected the columns file,date'),
        ('file,date\na.png,soon\n', "line 2: no date 'soon'. Write YYYY-MM-DD"),
    ],
)
def test_tables_that_are_none(tmp_path, text, message):
    (tmp_path / 'dates.csv').write_text(text)
    with pytest.raises(DataError, match=message):
        read_dates(tmp_path / 'dates.csv')


def test_a_month_twice(tmp_path):
    cairo(tmp_path)
    picture(tmp_path / '3005_3175' / 'bbox31750_30050_2018_02.png')
    with pytest.raises(DataError, match=r'a second image of 2018-03-01, beside .*Remove one'):
        find_cells(tmp_path)


def test_no_folder(tmp_path):
    with pytest.raises(DataNotFoundError, match='no such folder'):
        find_cells(tmp_path / 'nowhere')
    with pytest.raises(DataNotFoundError, match='no such folder'):
        find_cells(cairo(tmp_path / 'x'), clouds=tmp_path / 'sky')


def test_spacenet7_with_a_mask_of_unusable_pixels(toy_spacenet7, tmp_path):
    aoi = sorted((toy_spacenet7 / 'train').iterdir())[0]
    shutil.copytree(aoi, tmp_path / aoi.name)
    first = sorted((tmp_path / aoi.name / 'images_masked').glob('*.tif'))[0]
    mask = np.zeros((64, 64), bool)
    mask[:10] = True
    write_raster(tmp_path / aoi.name / 'UDM_masks' / f'{first.stem}_UDM.tif', mask)
    (cell,) = find_cells(tmp_path)
    assert (len(cell), cell.months[0]) == (6, '2018-01')
    values, valid = cell.read(0)
    assert values.shape == (3, 64, 64)
    assert not valid[:10].any()
    assert cell.read(1)[1].mean() > valid.mean()
    assert cell.place()['crs']
    write_raster(tmp_path / aoi.name / 'UDM_masks' / f'{first.stem}_UDM.tif', mask[:32])
    with pytest.raises(DataError, match='differs from its image'):
        cell.read(0)


@pytest.mark.realdata
def test_real_series(real_data):
    cells = find_cells(real_data / 'spacenet7_128px')
    assert len(cells) == 6
    assert min(map(len, cells)) >= 18
    (city,) = find_cells(next((real_data / 'newcairo_s2').glob('New_Cairo*')))
    assert city.months == ['2016-01', '2018-01', '2020-01']
    assert city.place()['transform'][0] == 10
