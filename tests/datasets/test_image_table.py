"""One's own images: every kind of table, folders without labels, and rows that cannot be."""

from __future__ import annotations

import datetime as dt

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely import Point

from rsmm.datasets.image_table import ImageTable
from rsmm.datasets.place_time import parse_date, parse_place, raster_centre, to_place
from rsmm.errors import ConfigError, DataError, DataNotFoundError
from tests.datasets.chips import AFFINE, UTM, s2_chip, write_tif

HEADER = 'path,label,latitude,longitude,date,split\n'
ROWS = (
    'a/1.tif,forest,48.2,13.7,2017-06-13,train\n'
    'a/2.tif,water,,,,train\n'
    'a/3.tif,,39.4,-8.2,2017-12-21 11:25:01,train\n'
    'b/4.tif,town,62.8,30.6,,test\n'
)


@pytest.fixture
def root(tmp_path):
    for number, folder in ((1, 'a'), (2, 'a'), (3, 'a'), (4, 'b')):
        write_tif(tmp_path / folder / f'{number}.tif', s2_chip(number, 8))
    (tmp_path / 'table.csv').write_text(HEADER + ROWS)
    return tmp_path


def table(root, **settings) -> ImageTable:
    return ImageTable(data_root=str(root), **{'table': 'table.csv', **settings})


def test_rows_with_everything_and_with_nothing(root) -> None:
    data = table(root)
    assert data.metainfo['classes'] == ('forest', 'town', 'water')
    rows = [data.get_data_info(i) for i in range(4)]
    assert [row.get('gt_label') for row in rows] == [0, 2, None, 1]
    assert [row['day_of_year'] for row in rows] == [164, None, 355, None]
    assert [(row['latitude'], row['longitude']) for row in rows] == [
        (48.2, 13.7),
        (None, None),
        (39.4, -8.2),
        (62.8, 30.6),
    ]


def test_parts_and_splits(root) -> None:
    def names(**settings):
        return [i['img_path'][-5:] for i in table(root, **settings).load_data_list()]

    assert names(subset='labelled', split='train') == ['1.tif', '2.tif']
    assert names(subset='unlabelled', split='train') == ['1.tif', '2.tif', '3.tif']
    assert names(subset='unlabelled', split='train', include_labelled=False) == ['3.tif']
    assert names(split='test') == ['4.tif']
    # The classes are those of the whole table, also where a split lacks some.
    assert table(root, split='test').metainfo['classes'] == ('forest', 'town', 'water')


def test_an_empty_split_names_those_of_the_table(root) -> None:
    with pytest.raises(DataError, match="no images of split 'dev'.*which knows test, train"):
        table(root, split='dev').load_data_list()
    (root / 'table.csv').write_text('path,label\na/1.tif,forest\n')
    with pytest.raises(DataError, match='no labelled images of .* has no column split'):
        table(root, subset='labelled', split='train').load_data_list()


def test_a_folder_without_labels(root) -> None:
    data = ImageTable(data_root=str(root), folder='a')
    assert len(data) == 3
    assert 'gt_label' not in data.get_data_info(0)
    joined = table(root, folder='.', subset='unlabelled', split='train')
    assert len(joined) == 4  # the table's own images are not counted twice
    assert len(table(root, folder='.', subset='labelled')) == 3


@pytest.mark.parametrize('kind', ['csv', 'parquet', 'geoparquet'])
def test_kinds_of_tables_agree(kind: str, root) -> None:
    frame = pd.DataFrame(
        {
            'image': ['a/1.tif', 'a/2.tif', 'b/4.tif'],
            'class': ['x', 'y', None],
            'lat': [48.0, -10.0, 0.0],
            'lng': [9.0, 20.0, 0.0],
        }
    )
    if kind == 'csv':
        frame.to_csv(root / 'other.csv', index=False)
    elif kind == 'parquet':
        frame.to_parquet(root / 'other.parquet')
    else:
        points = [Point(lng, lat) for lat, lng in zip(frame.lat, frame.lng, strict=True)]
        geo = gpd.GeoDataFrame(frame[['image', 'class']], geometry=points, crs='EPSG:4326').to_crs(
            'EPSG:3857'
        )
        geo.to_parquet(root / 'other.geoparquet')
    data = table(root, table=f'other.{kind}')
    rows = [data.get_data_info(i) for i in range(3)]
    assert [row.get('gt_label') for row in rows] == [0, 1, None]
    places = np.array([(row['latitude'], row['longitude']) for row in rows], float)
    np.testing.assert_allclose(places, [(48, 9), (-10, 20), (0, 0)], atol=1e-6)


def test_many_labels(root) -> None:
    (root / 'table.csv').write_text('path,label\na/1.tif,water|town\na/2.tif,town\na/3.tif,\n')
    data = table(root, multi_label=True)
    assert data.metainfo['classes'] == ('town', 'water')
    assert data.get_data_info(0)['gt_score'] == [1.0, 1.0]
    assert data.get_data_info(1)['gt_score'] == [1.0, 0.0]
    assert 'gt_score' not in data.get_data_info(2)
    assert len(table(root, multi_label=True, subset='labelled')) == 2


def test_few_labels_drawn_by_class(root) -> None:
    lines = ''.join(f'n/{i}.tif,{"uvw"[i % 3]}\n' for i in range(30))
    for i in range(30):
        (root / 'n').mkdir(exist_ok=True)
        (root / 'n' / f'{i}.tif').touch()
    (root / 'table.csv').write_text('path,label\n' + lines)
    draw = table(root, subset='labelled', num_labels=6)
    assert sorted(i['gt_label'] for i in draw.load_data_list()) == [0, 0, 1, 1, 2, 2]
    assert len(table(root, subset='unlabelled', num_labels=6, include_labelled=False)) == 24


def test_place_from_the_file_where_the_table_has_none(root) -> None:
    from rsmm.registry import TRANSFORMS

    steps = [
        TRANSFORMS.build({'type': f'rsmm.{name}'}) for name in ('LoadRaster', 'PlaceFromRaster')
    ]
    found = table(root).get_data_info(1)
    for step in steps:
        found = step(found)
    expected = to_place(UTM.to_wkt(), 600000 + 40, 5200000 - 40)
    assert (found['latitude'], found['longitude']) == pytest.approx(expected)
    assert expected[0] == pytest.approx(46.945, abs=0.01)
    kept = table(root).get_data_info(0)
    for step in steps:
        kept = step(kept)
    assert (kept['latitude'], kept['longitude']) == (48.2, 13.7)
    assert raster_centre(None, tuple(AFFINE)[:6], (8, 8)) == (None, None)


BAD_ROWS = {
    'a/1.tif,forest,13.7,248.2,,train\n': 'row 2: .*swapped',
    'a/1.tif,forest,48.2,,,train\n': 'row 2: .*belong together',
    'a/1.tif,forest,north,13.7,,train\n': 'row 2: .*not numbers',
    'a/1.tif,forest,48.2,13.7,13.6.2017,train\n': 'row 2: .*no date',
    'a/1.tif,forest,48.2,13.7,2017-02-30,train\n': 'row 2: .*no date',
    'a/1.tif,-1,,,,train\n': 'row 2: .*empty where it is unknown',
    'a/1.tif,forest,,,,train\na/1.tif,water,,,,train\n': 'row 3: .*stands in row 2',
    'a/1.tif,forest,,,,train\na/9.tif,water,,,,train\n': 'row 3: no such image',
}


@pytest.mark.parametrize('rows', BAD_ROWS)
def test_rows_that_cannot_be(rows: str, root) -> None:
    (root / 'table.csv').write_text(HEADER + rows)
    with pytest.raises(DataError, match=BAD_ROWS[rows]):
        table(root)


def test_text_that_is_no_class(root) -> None:
    with pytest.raises(DataError, match="row 2: unknown label 'forest'. Did you mean 'forests'"):
        table(root, classes=['forests', 'water', 'town'])


def test_tables_that_cannot_be(root) -> None:
    (root / 'other.csv').write_text('picture,label\n1,2\n')
    (root / 'other.json').write_text('{}')
    for name, message in (('other.csv', 'no column path'), ('other.json', 'unknown kind')):
        with pytest.raises(DataError, match=message):
            table(root, table=name)
    with pytest.raises(DataNotFoundError, match='no such table'):
        table(root, table='missing.csv')
    with pytest.raises(DataNotFoundError, match='no such folder'):
        table(root, folder='missing')
    with pytest.raises(DataError, match='no images of split'):
        table(root, split='val')
    for settings in (dict(table=None), dict(subset='lb'), dict(num_labels=3)):
        with pytest.raises(ConfigError, match='ImageTable'):
            table(root, **settings)


@pytest.mark.parametrize('empty', [None, float('nan'), '', ' ', 'NaT', 'None'])
def test_what_is_empty_is_unknown(empty) -> None:
    assert parse_place(empty, empty) == (None, None)
    assert parse_date(empty) is None


def test_dates() -> None:
    assert parse_date('2016-12-31') == 366
    assert parse_date(dt.date(2017, 1, 1)) == 1
    assert parse_date(pd.Timestamp('2017-06-17 11:33:21')) == 168
