"""Every rule of vector files over every format and every reader of footprints."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from rsmm.datasets.spacenet7 import find_cubes
from rsmm.datasets.transforms.footprints import read_footprints
from rsmm.errors import DataError
from rsmm.geo.io import integer_ids, read_vector, write_vector
from rsmm.geo.submission import read_geojson_cubes
from rsmm.registry import DATASETS
from rsmm.studies.spacenet7 import read_truth

PLACE = Affine(0.5, 0, 300000, 0, -0.5, 3000000)
NOWHERE = Affine.identity()
ROTATED = PLACE * Affine.rotation(30)
UTM = 'EPSG:32636'
AOI = 'L15-0331E-1257N_1327_3160_13'
STEM = f'global_monthly_2018_01_mosaic_{AOI}'
SQUARE = shapely.box(20, 20, 60, 60)
NAMES = (
    'a b',
    "it's",
    'say "x"',
    'x\ny',
    '100%',
    'a;b#c?d',
    '雪',
    unicodedata.normalize('NFD', 'é'),
)


def write_image(path: Path, crs=UTM, transform=PLACE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = dict(driver='GTiff', width=128, height=128, count=3, dtype='uint8')
    with rasterio.open(path, 'w', **profile, crs=crs, transform=transform) as target:
        target.write(np.random.default_rng(0).integers(1, 255, (3, 128, 128), dtype=np.uint8))
    return path


def on_map(shape=SQUARE, crs=UTM, transform=PLACE, swap: bool = False):
    """A shape in pixels brought to a coordinate system, latitude first with ``swap``."""
    moved = shapely.transform(shape, lambda xy: np.array([transform * point for point in xy]))
    if crs != UTM:
        to = Transformer.from_crs(UTM, crs, always_xy=True)
        moved = shapely.transform(moved, lambda xy: np.stack(to.transform(*xy.T), axis=1))
    return shapely.transform(moved, lambda xy: xy[:, ::-1]) if swap else moved


def write_geojson(path: Path, *shapes, crs: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    features = [
        {
            'type': 'Feature',
            'properties': {'Id': k + 1},
            'geometry': shapely.geometry.mapping(shape),
        }
        for k, shape in enumerate(shapes)
    ]
    table = {'type': 'FeatureCollection', 'features': features}
    if crs:
        table['crs'] = {'type': 'name', 'properties': {'name': crs}}
    path.write_text(json.dumps(table))
    return path


def building_tiles(root: Path, shapes: list, crs: str | None, image: dict) -> int:
    write_image(root / '3band/RGB-PanSharpen_t.tif', **image)
    write_geojson(root / 'geojson/buildings/buildings_t.geojson', *shapes, crs=crs)
    return rasterized(dict(type='BuildingTiles', data_root=str(root)))


def spacenet7(root: Path, shapes: list, crs: str | None, image: dict) -> int:
    make_aoi(root, shapes, crs, image)
    return rasterized(dict(type='SpaceNet7Dataset', data_root=str(root), labels='labels'))


def make_aoi(root: Path, shapes: list, crs: str | None, image: dict) -> None:
    write_image(root / 'train' / AOI / 'images' / f'{STEM}.tif', **image)
    path = root / 'train' / AOI / 'labels' / f'{STEM}_Buildings.geojson'
    write_geojson(path, *shapes, crs=crs)


def rasterized(settings: dict) -> int:
    steps = ('LoadMosaic', 'LoadFootprints', 'RasterizeFootprints')
    data = DATASETS.build(dict(pipeline=[dict(type=step) for step in steps], **settings))
    return int((data[0]['gt_seg_map'] == 1).sum())


def score_truth(root: Path, shapes: list, crs: str | None, image: dict) -> int:
    make_aoi(root, shapes, crs, image)
    truth = read_truth(find_cubes(root / 'train', labels='labels'))
    return round(sum(shape.area for _, shape in truth[AOI]['2018_01']))


READERS = {'BuildingTiles': building_tiles, 'SpaceNet7': spacenet7, 'score': score_truth}
#: Label, image, and what the error says; None where 1600 pixels are buildings.
CASES = {
    'lon/lat': (dict(crs=None), 'OGC:CRS84', {}, None),
    'lon/lat as EPSG:4326': (dict(crs='urn:ogc:def:crs:EPSG::4326'), 'OGC:CRS84', {}, None),
    'lon/lat as CRS84': (dict(crs='urn:ogc:def:crs:OGC:1.3:CRS84'), 'OGC:CRS84', {}, None),
    'UTM': (dict(crs='urn:ogc:def:crs:EPSG::32636'), UTM, {}, None),
    'other zone': (dict(crs='urn:ogc:def:crs:EPSG::32637'), 'EPSG:32637', {}, None),
    'rotated image': (dict(crs=None), 'OGC:CRS84', dict(transform=ROTATED), None),
    'swapped': (dict(crs=None, swap=True), 'OGC:CRS84', {}, 'none of 1 footprints lies on'),
    'swapped, EPSG:4326': (
        dict(crs='urn:ogc:def:crs:EPSG::4326', swap=True), 'OGC:CRS84', {}, 'none of 1 footprints',
    ),
    'zone misnamed': (dict(crs='urn:ogc:def:crs:EPSG::32637'), UTM, {}, 'span x 894944 '),
    'UTM unnamed': (dict(crs=None), UTM, {}, 'no longitudes and latitudes'),
    'pixels as degrees': (dict(crs=None), None, {}, 'covers the image and 10 times'),
    'pixels as UTM': (dict(crs='urn:ogc:def:crs:EPSG::32636'), None, {}, 'none of 1 footprints'),
    'image without place': (
        dict(crs=None), 'OGC:CRS84', dict(crs=None, transform=NOWHERE), 'no place on the map',
    ),
}  # fmt: skip


@pytest.mark.filterwarnings('ignore::rasterio.errors.NotGeoreferencedWarning')
@pytest.mark.parametrize('case', CASES)
@pytest.mark.parametrize('reader', READERS)
def test_footprints_against_their_image(tmp_path: Path, reader: str, case: str) -> None:
    label, crs, image, message = CASES[case]
    transform = image.get('transform', PLACE)
    where = PLACE if message else transform
    shape = (
        SQUARE if crs is None else on_map(crs=crs, transform=where, swap=label.get('swap', False))
    )
    arguments = (tmp_path, [shape], label['crs'], image)
    if message is None:
        assert READERS[reader](*arguments) == pytest.approx(1600, abs=2)
        return
    with pytest.raises(DataError, match=message):
        READERS[reader](*arguments)


@pytest.mark.parametrize('content', ['', ' \n', '{"type": "FeatureCollection", "features": []}'])
@pytest.mark.parametrize('reader', ['BuildingTiles', 'SpaceNet7', 'vector'])
def test_an_empty_geojson_holds_no_buildings(tmp_path: Path, reader: str, content: str) -> None:
    if reader == 'vector':
        (tmp_path / 'a.geojson').write_text(content)
        assert len(read_vector(tmp_path / 'a.geojson', crs=UTM)[0]) == 0
        return
    make = READERS[reader]
    make(tmp_path, [], None, {})
    for path in tmp_path.rglob('*.geojson'):
        path.write_text(content)
    kind = dict(type='BuildingTiles') if reader == 'BuildingTiles' else dict(
        type='SpaceNet7Dataset', labels='labels'
    )  # fmt: skip
    assert rasterized(dict(data_root=str(tmp_path), **kind)) == 0


def test_an_empty_file_of_another_format_is_broken(tmp_path: Path) -> None:
    for name in ('a.gpkg', 'a.shp', 'a.parquet'):
        (tmp_path / name).write_bytes(b'')
        with pytest.raises(DataError, match=f'{name}: is none of GeoJSON'):
            read_vector(tmp_path / name)


WRITERS = {
    '.geojson': lambda frame, path: frame.to_file(path, driver='GeoJSON', engine='pyogrio'),
    '.gpkg': lambda frame, path: frame.to_file(path, driver='GPKG', engine='pyogrio'),
    '.shp': lambda frame, path: frame.to_file(path, driver='ESRI Shapefile', engine='pyogrio'),
    '.parquet': lambda frame, path: frame.to_parquet(path),
}


def frame(ids=(1, 2), crs=UTM):
    shapes = [on_map(SQUARE), on_map(shapely.box(70, 70, 80, 90))]
    return geopandas.GeoDataFrame({'Id': list(ids)}, geometry=shapes, crs=crs)


@pytest.mark.parametrize('suffix', WRITERS)
@pytest.mark.parametrize('case', [str.lower, str.upper])
def test_every_format_reads_alike(tmp_path: Path, suffix: str, case) -> None:
    """The format is told by the content: the name may be in capitals."""
    path = tmp_path / f'v{suffix}'
    WRITERS[suffix](frame(), path)
    for part in list(tmp_path.iterdir()):
        part.rename(part.with_name(case(part.name)))
    shapes, ids = read_footprints(tmp_path / case(path.name), UTM, PLACE[:6], shape=(128, 128))
    assert ids.tolist() == [1, 2]
    assert [shape.area for shape in shapes] == pytest.approx([1600, 200])


@pytest.mark.parametrize('suffix', ['.geojson', '.gpkg', '.parquet'])
@pytest.mark.parametrize('number', [2**53 + 1, 2**62 + 1, -(2**53) - 1, 0])
def test_ids_stay_exact(tmp_path: Path, suffix: str, number: int) -> None:
    path = tmp_path / f'v{suffix}'
    WRITERS[suffix](frame(ids=(number, 2)), path)
    assert read_footprints(path, UTM, PLACE[:6])[1].tolist() == [number, 2]
    WRITERS[suffix](frame(ids=(str(number), '2')), path)
    assert read_footprints(path, UTM, PLACE[:6])[1].tolist() == [number, 2]


@pytest.mark.parametrize(
    'bad', [1.5, 'x', '1.5', 2.0**53, 1e300, float('inf'), '1e300', 2**63, -(2**63) - 1, [1], '²']
)
def test_ids_that_are_no_integers_are_named(bad) -> None:
    with pytest.raises(DataError, match=r'a.geojson: row 2: Id .* is no integer'):
        integer_ids([1, bad], 'a.geojson', missing=-1)
    assert integer_ids([None, float('nan'), 7.0, '8', '9.0'], '', missing=-1).tolist() == [
        -1, -1, 7, 8, 9,
    ]  # fmt: skip


def test_ids_beside_missing_ones_are_not_rounded(tmp_path: Path) -> None:
    """A column with gaps is read as numbers with a point, which end at 2^53."""
    path = write_geojson(tmp_path / 'a.geojson', SQUARE, SQUARE)
    table = json.loads(path.read_text())
    table['features'][0]['properties']['Id'] = None
    path.write_text(json.dumps(table))
    assert read_footprints(path, pixels=True)[1].tolist() == [-1, 2]
    table['features'][1]['properties']['Id'] = 2**60 + 1
    path.write_text(json.dumps(table))
    with pytest.raises(DataError, match='row 2: Id'):
        read_footprints(path, pixels=True)


@pytest.mark.parametrize('suffix', ['.geojson', '.gpkg', '.shp', '.parquet', '.json'])
@pytest.mark.parametrize('program', ['vrt', 'pipeline', 'service', 'text', 'nothing'])
def test_programs_are_not_run(tmp_path: Path, suffix: str, program: str) -> None:
    """GDAL goes by content: a virtual layer of any name would read the file that it names."""
    secret = write_geojson(tmp_path / 'secret.geojson', SQUARE)
    path = tmp_path / f'evil{suffix}'
    path.write_text({
        'vrt': f'<OGRVRTDataSource><OGRVRTLayer name="secret"><SrcDataSource>{secret}'
               '</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>',
        'pipeline': json.dumps({'type': 'gdal_streamed_alg',
                                'command_line': f'gdal vector pipeline ! read {secret}'}),
        'service': '<OGRWFSDataSource><URL>http://localhost/wfs</URL></OGRWFSDataSource>',
        'text': 'WFS:http://localhost',
        'nothing': '\0',
    }[program])  # fmt: skip
    with pytest.raises(DataError, match='is none of GeoJSON, GPKG'):
        read_vector(path)


def test_several_layers_are_not_half_read(tmp_path: Path) -> None:
    path = tmp_path / 'v.gpkg'
    for layer in ('a', 'b'):
        frame().to_file(path, driver='GPKG', layer=layer, engine='pyogrio')
    with pytest.raises(DataError, match='has 2 layers with geometries: a, b'):
        read_vector(path)


OWN = '+proj=tmerc +lat_0=27 +lon_0=31 +k=1 +x_0=300000 +y_0=3000000 +ellps=GRS80 +units=m'
SYSTEMS = (UTM, 'EPSG:4326', 'EPSG:3857', 'ESRI:102008', 'OGC:CRS84', OWN,
           rasterio.crs.CRS.from_epsg(32636).to_wkt(version='WKT1_ESRI'))  # fmt: skip


@pytest.mark.parametrize('suffix', ['.geojson', '.gpkg'])
@pytest.mark.parametrize('crs', SYSTEMS)
def test_what_is_written_lies_where_it_was(tmp_path: Path, suffix: str, crs: str) -> None:
    """Also in a coordinate system without a code, which GeoJSON cannot name."""
    centre = (31.0, 27.0) if crs in ('EPSG:4326', 'OGC:CRS84') else (300000.0, 3000000.0)
    shape = shapely.Point(centre).buffer(0.001 if centre[0] < 100 else 50)
    path = tmp_path / f'v{suffix}'
    write_vector(path, [shape], {'Id': [1]}, crs=crs)
    stored, _, found = read_vector(path)
    back = geopandas.GeoSeries(stored, crs=found).to_crs(crs)
    assert back.centroid.distance(shapely.Point(centre)).max() < (1e-6 if centre[0] < 100 else 0.1)


def test_coordinates_that_do_not_exist_on_the_globe(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='has no code.*GeoPackage'):
        write_vector(tmp_path / 'v.geojson', [shapely.box(0, 0, 1e12, 1e12)], crs=OWN)
    write_vector(tmp_path / 'v.gpkg', [shapely.box(0, 0, 1e12, 1e12)], crs=OWN)


@pytest.mark.parametrize('suffix', ['.geojson', '.gpkg'])
@pytest.mark.parametrize('name', NAMES)
def test_odd_names(tmp_path: Path, suffix: str, name: str) -> None:
    path = tmp_path / name / f'{name}{suffix}'
    write_vector(path, [SQUARE], {'Id': [5]}, crs=UTM)
    assert read_footprints(path, pixels=True)[1].tolist() == [5]
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_scored_folders_list_every_spelling(tmp_path: Path) -> None:
    write_geojson(tmp_path / f'{STEM}_Buildings.GEOJSON', SQUARE)
    write_geojson(tmp_path / f'._{STEM}_Buildings.geojson')
    assert len(read_geojson_cubes(tmp_path)[AOI]['2018_01']) == 1


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    suffix=st.sampled_from(list(WRITERS)),
    places=st.lists(st.integers(0, 10**6), min_size=0, max_size=4),
    cut=st.none() | st.integers(0, 10**6),
    junk=st.binary(max_size=4),
)
def test_fuzzed_vectors(tmp_path_factory, suffix, places, cut, junk) -> None:
    """A damaged file gives polygons with finite coordinates, or an error of rsmm."""
    path = tmp_path_factory.mktemp('fuzz') / f'v{suffix}'
    WRITERS[suffix](frame(), path)
    raw = bytearray(path.read_bytes())
    for place in places:
        raw[place % len(raw)] ^= 1 << place % 8
    raw = raw if cut is None else raw[: cut % len(raw)] + junk
    path.write_bytes(raw)
    try:
        shapes, ids = read_footprints(path, UTM, PLACE[:6], shape=(128, 128))
    except DataError:
        return
    assert ids.dtype == np.int64
    assert np.isfinite(shapely.get_coordinates(shapes)).all()
