"""CSV and GeoJSON tables of SpaceNet 7, and what is wrong with bad ones."""

import pytest
import shapely

from rsmm.errors import DataError, DataNotFoundError
from rsmm.geo import (
    check_systems,
    make_stem,
    parse_stem,
    read_cubes,
    read_geojson_cubes,
    read_submission,
    write_submission,
    write_vector,
)

AOI = 'L15-0331E-1257N_1327_3160_13'
STEM = f'global_monthly_2018_01_mosaic_{AOI}'
HEADER = 'filename,id,geometry\n'
SQUARE = '"POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0))"'


def write(path, text):
    path.write_text(text)
    return path


def test_names_of_images():
    assert make_stem(AOI, '2018_01') == STEM
    assert len(STEM) == 58
    assert len(AOI) == 28
    assert parse_stem(f'{STEM}_Buildings.geojson') == (AOI, '2018_01')
    with pytest.raises(DataError, match='no image name'):
        parse_stem('mosaic_2018.tif')


def test_round_trip_keeps_everything(tmp_path):
    ring = shapely.Polygon(
        [(0, 0), (9, 0), (9, 9), (0, 9)], [[(2, 2), (3.123456789012345, 2), (3, 3)]]
    )
    cubes = {AOI: {'2018_03': [(12, ring)], '2018_01': [], '2018_02': [(12, ring), (3, ring)]}}
    path = tmp_path / 's.csv'
    write_submission(path, cubes)
    found = read_submission(path, drop_empty=True)
    assert found == {AOI: {m: [(n, g) for n, g in f] for m, f in sorted(cubes[AOI].items())}}
    assert read_submission(path)[AOI]['2018_01'] == [(-1, shapely.Polygon())]


def test_odd_rows_are_read(tmp_path):
    rows = [
        f'{STEM},7,"POLYGON Z ((0 0 1, 4 0 1, 4 4 1, 0 0 1))",x',
        f'{STEM.replace("2018_01", "2018_02")},-1,LINESTRING EMPTY,y',
        f'{STEM.replace("2018_01", "2018_02")}.tif,8.0,{SQUARE},',
    ]
    path = write(tmp_path / 's.csv', 'filename,id,geometry,extra\n' + '\n'.join(rows))
    found = read_submission(path)[AOI]
    assert [name for name, _ in found['2018_01']] == [7]
    assert not found['2018_01'][0][1].has_z
    assert [name for name, _ in found['2018_02']] == [-1, 8]
    assert found['2018_02'][0][1].is_empty


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('filename,geometry\n', 'column id is missing; found filename, geometry'),
        (f'{HEADER}{STEM},1,{SQUARE}\n{STEM},2,POLYGON ((0 0)\n', r'row 2: geometry .POLYGON'),
        (f'{HEADER}{STEM},1.5,{SQUARE}\n', r"row 1: id '1.5' cannot be read \(1 such rows\)"),
        (f'{HEADER}{STEM},{2**64},{SQUARE}\n', f"row 1: id '{2**64}'"),
        (f'{HEADER}{STEM},,{SQUARE}\n', "row 1: id ''"),
        (f'{HEADER}image_3,1,{SQUARE}\n', "row 1: filename 'image_3'"),
        ('', 'is no CSV table'),
    ],
)
def test_bad_tables(tmp_path, text, message):
    path = write(tmp_path / 'bad.csv', text)
    with pytest.raises(DataError, match=message) as caught:
        read_submission(path)
    assert 'bad.csv' in str(caught.value)


def test_absent_files(tmp_path):
    with pytest.raises(DataNotFoundError):
        read_submission(tmp_path / 'none.csv')
    with pytest.raises(DataNotFoundError):
        read_geojson_cubes(tmp_path)


def test_geojson_folder(tmp_path):
    folder = tmp_path / AOI / 'labels_match_pix'
    write_vector(folder / f'{STEM}_Buildings.geojson', [shapely.box(0, 0, 3, 3)], {'Id': [5]})
    later = STEM.replace('2018_01', '2018_02')
    write_vector(folder / f'{later}_Buildings.geojson', [])
    write_vector(folder / f'{later}_UDM.geojson', [shapely.box(0, 0, 1, 1)])
    assert read_geojson_cubes(tmp_path) == {
        AOI: {'2018_01': [(5, shapely.box(0, 0, 3, 3))], '2018_02': []}
    }


def test_bad_geojson_folders(tmp_path):
    box = [shapely.box(0, 0, 3, 3)]
    write_vector(tmp_path / 'a' / f'{STEM}.geojson', box, {'Id': [5]}, crs='EPSG:3857')
    later = STEM.replace('2018_01', '2018_02')
    write_vector(tmp_path / 'a' / f'{later}.geojson', box, {'Id': [5]}, crs='EPSG:32632')
    with pytest.raises(DataError, match='another coordinate system'):
        read_cubes(tmp_path / 'a')
    write_vector(tmp_path / 'b' / 'x' / f'{STEM}.geojson', box, {'Id': [5]})
    write_vector(tmp_path / 'b' / 'y' / f'{STEM}.geojson', box, {'Id': [5]})
    with pytest.raises(DataError, match='a second file'):
        read_cubes(tmp_path / 'b')
    write_vector(tmp_path / 'c' / f'{STEM}.geojson', box, {'name': ['x']})
    with pytest.raises(DataError, match="no attribute 'Id'; found name"):
        read_cubes(tmp_path / 'c')


def test_the_published_layout_is_read_from_its_pixel_labels(tmp_path):
    box = [shapely.box(0, 0, 3, 3)]
    for name, columns in (('labels', {}), ('labels_match', {'Id': [5]})):
        path = tmp_path / AOI / name / f'{STEM}_Buildings.geojson'
        write_vector(path, box, columns, crs='EPSG:3857')
    with pytest.raises(DataError, match='not in labels'):
        read_cubes(tmp_path)
    path = tmp_path / AOI / 'labels_match_pix' / f'{STEM}_Buildings.geojson'
    write_vector(path, box, {'Id': [6]})
    assert read_cubes(tmp_path) == {AOI: {'2018_01': [(6, box[0])]}}


def test_pixels_are_not_scored_against_map_units(tmp_path):
    box = [shapely.box(0, 0, 3, 3)]
    for name, crs in (('pixels', None), ('mercator', 'EPSG:3857'), ('utm', 'EPSG:32632')):
        write_vector(tmp_path / name / f'{STEM}.geojson', box, {'Id': [5]}, crs=crs)
    table = write(tmp_path / 's.csv', f'{HEADER}{STEM},1,{SQUARE}\n')
    for same in (('pixels', table), (table, table), ('mercator', 'mercator')):
        check_systems(*(tmp_path / source for source in same))
    for other in ((table, 'mercator'), ('mercator', 'pixels'), ('utm', 'mercator')):
        with pytest.raises(DataError, match=r'truth is in .*, proposals are in'):
            check_systems(*(tmp_path / source for source in other))


def test_map_coordinates_are_read_with_a_warning(tmp_path):
    box = [shapely.box(0, 0, 3, 3)]
    write_vector(tmp_path / f'{STEM}.geojson', box, {'Id': [5]}, crs='EPSG:3857')
    with pytest.warns(UserWarning, match='map units, not pixels'):
        assert read_cubes(tmp_path)[AOI]['2018_01'][0][0] == 5


@pytest.mark.parametrize('bad', ['4b', 1.5, None])
def test_identities_must_be_integers(tmp_path, bad):
    boxes = [shapely.box(0, 0, 3, 3), shapely.box(5, 0, 8, 3)]
    write_vector(tmp_path / f'{STEM}.geojson', boxes, {'Id': [7 if bad != '4b' else '7', bad]})
    with pytest.raises(DataError, match='row 2: Id .* is no integer'):
        read_cubes(tmp_path)


def test_merge_unites_same_ids(tmp_path):
    other = '"POLYGON ((4 0, 6 0, 6 4, 4 4, 4 0))"'
    path = write(tmp_path / 's.csv', f'{HEADER}{STEM},1,{SQUARE}\n{STEM},1,{other}\n')
    ((name, shape),) = read_cubes(path, merge=True)[AOI]['2018_01']
    assert (name, shape.area) == (1, 24)
