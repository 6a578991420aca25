"""Any model over any input: what each task writes, and the same map from every form of input."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil

import rsmm.apis
from rsmm.errors import ConfigError, DataError
from rsmm.geo.io import write_raster
from tests.inference.small_models import (
    COLOURS,
    PLACE,
    Brightest,
    Building,
    ChipBrightness,
    Difference,
    Season,
    inferencer,
)


def noise(seed: int = 0, shape=(70, 90)) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 250, (*shape, 3)).astype(np.uint8)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    image = noise()
    image[:10, :20] = 0
    write_raster(tmp_path / 'scene.tif', image, bands=COLOURS, nodata=0, **PLACE)
    return tmp_path / 'scene.tif'


def read(path) -> np.ndarray:
    with rasterio.open(path) as source:
        return source.read(1)


def expected(image: np.ndarray) -> np.ndarray:
    return np.where((image == 0).all(axis=2), 255, image.argmax(axis=2))


def test_a_map_has_colours_names_place_and_tags(scene, tmp_path):
    found = inferencer()(str(scene), out=tmp_path / 'out', probabilities=True)
    (one,) = found['predictions']
    with rasterio.open(tmp_path / 'out' / 'scene_map.tif') as source:
        with rasterio.open(scene) as image:
            pixels = image.read().transpose(1, 2, 0)
        np.testing.assert_array_equal(source.read(1), expected(pixels))
        assert source.nodata == 255
        assert source.crs.to_epsg() == 32631
        assert tuple(source.transform)[:6] == PLACE['transform']
        assert source.tags(ns='IMAGE_STRUCTURE')['LAYOUT'] == 'COG'
        assert source.colormap(1)[1][:3] != source.colormap(1)[2][:3]
        assert json.loads(source.tags()['RSMM_CLASSES'])['2'] == 'class 2'
        assert source.tags()['RSMM_WEIGHTS'] == 'random'
    with rasterio.open(tmp_path / 'out' / 'scene_probabilities.tif') as source:
        stored, missing = source.read(), source.read_masks(1) == 0
        assert source.descriptions == ('class 0', 'class 1', 'class 2')
        assert source.scales == (1 / 250,) * 3
        np.testing.assert_array_equal(missing[:10, :20], True)
        assert np.abs(stored[:, ~missing].sum(axis=0, dtype=int) - 250).max() <= 2
    assert one['valid'] == pytest.approx(1 - 200 / 6300)
    assert sum(row['share'] for row in one['areas']) == pytest.approx(1)
    assert sum(row['area_ha'] for row in one['areas']) == pytest.approx(61, rel=2e-3)


def test_the_attribute_table_names_the_classes(scene, tmp_path):
    inferencer()(str(scene), out=tmp_path)
    root = ET.parse(tmp_path / 'scene_map.tif.aux.xml').getroot()
    assert [node.text for node in root.iter('Category')] == ['class 0', 'class 1', 'class 2']
    rows = [[cell.text for cell in row] for row in root.iter('Row')]
    labels = read(tmp_path / 'scene_map.tif')
    assert [int(row[-1]) for row in rows] == [int((labels == k).sum()) for k in range(3)]
    with rasterio.open(tmp_path / 'scene_map.tif') as source:
        assert [source.colormap(1)[k][:3] for k in range(3)] == [
            tuple(int(part) for part in row[2:5]) for row in rows
        ]


TASKS = {
    'classes': (Brightest, 1),
    'chips': (ChipBrightness, 1),
    'footprints': (Building, 1),
    'change': (Difference, 2),
}


@pytest.mark.parametrize(('kind', 'entry'), TASKS.items())
def test_every_task_by_what_the_model_declares(kind, entry, tmp_path):
    model, dates = entry
    images = [noise(k, (64, 96)) for k in range(dates)]
    images[0][:, :32], images[-1][:, 64:] = 20, 240
    paths = [str(tmp_path / f'{k}.tif') for k in range(dates)]
    for path, image in zip(paths, images, strict=True):
        write_raster(path, image, **PLACE)
    infer = inferencer(model)
    assert infer.task.kind == kind
    (one,) = infer(paths, out=tmp_path / 'out', stride=64 if kind == 'chips' else None)[
        'predictions'
    ]
    labels = read(one['files'][0])
    truth = {
        'classes': images[0].argmax(axis=2),
        'footprints': images[0][..., 0] > 100,
        'change': images[-1][..., 0].astype(int) - images[0][..., 0] > 50,
    }
    if kind == 'chips':
        assert labels[5, 90] in (1, 2)
        assert labels[5, 5] in (0, 1)
    else:
        np.testing.assert_array_equal(labels, truth[kind])


def test_a_season_in_order_of_its_dates(tmp_path):
    stack = tmp_path / 'field'
    stack.mkdir()
    values = {'2021-03-01': 10, '2020-10-15': 90, '2021-06-01': 50}
    for day, value in values.items():
        image = np.full((20, 30, 3), value, np.uint8)
        image[:, 15:] = 100 - value
        image[0, 0] = 0 if day != '2020-10-15' else 90
        image[1, 1] = 0
        write_raster(stack / f'{day}.tif', image, bands=COLOURS, nodata=0, **PLACE)
    infer = inferencer(Season)
    object.__setattr__(infer.reading, 'norm', ((1.0, 2.0, 3.0), (2.0, 2.0, 2.0)))
    (one,) = infer(str(stack), out=tmp_path / 'out')['predictions']
    labels = read(one['files'][0])
    assert one['dates'] == ['2020-10-15', '2021-03-01', '2021-06-01']
    assert labels[5, 5] == 0
    assert labels[5, 20] == 1
    assert labels[0, 0] == 0  # one date has it
    assert labels[1, 1] == 255  # none has
    from rsmm.inference.map_files import series_of

    scenes = infer.preprocess(str(stack), tmp_path)
    days = series_of(infer._job(None), scenes[0]).days
    assert days == [44, 181, 273]  # since the first of September before


def test_ignored_classes_are_never_predicted(scene, tmp_path):
    image = noise()
    dataset = dict(type='GID', num_classes=5, data_root='nowhere')
    infer = inferencer(dataset=dataset)
    assert infer.task.ignored == (0,)
    labels = infer(image)['predictions'][0]['labels']
    np.testing.assert_array_equal(labels, image[..., 1:].argmax(axis=2) + 1)
    (one,) = infer(str(scene), out=tmp_path)['predictions']
    assert [row['value'] for row in one['areas']] == [1, 2]
    assert '0' not in json.loads(rasterio.open(one['files'][0]).tags()['RSMM_CLASSES'])


@pytest.fixture
def server(tmp_path):
    # A process of its own: GDAL may hold the interpreter while it waits for an answer.
    command = [sys.executable, str(Path(__file__).with_name('range_server.py')), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield f'http://127.0.0.1:{int(process.stdout.readline())}'
        process.terminate()


FORMS = ('vrt', 'cog', 'http', 'vsicurl', 'glob', 'folder', 'table', 'stac', 'bands', 'array')


@pytest.mark.parametrize('form', FORMS)
def test_the_same_map_from_every_form_of_input(form, scene, server, tmp_path):
    infer = inferencer()
    infer(str(scene), out=tmp_path / 'plain', tile=32)
    source = given(form, scene, server, tmp_path)
    (one,) = infer(source, out=tmp_path / 'out', tile=32)['predictions']
    found = Path(one['files'][0])
    if form == 'array':  # it has no place and no nodata
        labels, plain = read(found), read(tmp_path / 'plain' / 'scene_map.tif')
        np.testing.assert_array_equal(labels[plain != 255], plain[plain != 255])
        return
    assert found.read_bytes() == (tmp_path / 'plain' / 'scene_map.tif').read_bytes()


def given(form: str, scene: Path, server: str, tmp_path: Path):
    """The scene in another form."""
    folder = tmp_path / 'form'
    folder.mkdir()
    if form == 'array':
        with rasterio.open(scene) as source:
            return source.read().transpose(1, 2, 0)
    if form in ('vrt', 'cog'):
        target = folder / f'scene.{"vrt" if form == "vrt" else "tif"}'
        rasterio.shutil.copy(scene, target, driver=form.upper())
        return str(target)
    if form in ('http', 'vsicurl'):
        return f'{"/vsicurl/" if form == "vsicurl" else ""}{server}/scene.tif'
    if form == 'table':
        (folder / 'scenes.csv').write_text('Path,name\n../scene.tif,one\n')
        return str(folder / 'scenes.csv')
    if form in ('glob', 'folder'):
        (folder / 'scene.tif').write_bytes(scene.read_bytes())
        return str(folder / '*.tif') if form == 'glob' else str(folder)
    return stac_item(form, scene, folder)


def stac_item(form: str, scene: Path, folder: Path) -> str:
    """An item with one asset, or with one per band in Sentinel-2's way."""
    kind = 'image/tiff; application=geotiff; profile=cloud-optimized'
    assets = {'thumbnail': {'href': 'small.jpg', 'type': 'image/jpeg', 'roles': ['thumbnail']}}
    if form == 'stac':
        assets['data'] = {'href': '../scene.tif', 'type': kind}
    else:
        with rasterio.open(scene) as source:
            for index, name in ((2, 'green'), (3, 'blue'), (1, 'red')):
                band = source.read(index)
                write_raster(folder / f'{name}.tif', band, nodata=0, **PLACE)
                assets[name] = {
                    'href': f'{name}.tif', 'type': kind,
                    'eo:bands': [{'name': name, 'common_name': name}],
                }  # fmt: skip
    item = {'type': 'Feature', 'id': 'scene', 'assets': assets,
            'properties': {'datetime': '2020-05-01T10:00:00Z'}}  # fmt: skip
    (folder / 'item.json').write_text(json.dumps(item))
    return str(folder / 'item.json')


def test_a_second_call_does_what_is_missing(tmp_path):
    for name in 'abc':
        write_raster(tmp_path / f'{name}.tif', noise(), **PLACE)
    out, infer = tmp_path / 'out', inferencer()
    infer([str(tmp_path / 'a.tif')], out=out)
    before = (out / 'a_map.tif').stat().st_mtime_ns
    found = infer(str(tmp_path / '*.tif'), out=out)['predictions']
    assert [one['scene'] for one in found] == ['a', 'b', 'c']
    assert (out / 'a_map.tif').stat().st_mtime_ns == before
    with open(out / 'summary.csv') as file:
        assert [row['scene'] for row in csv.DictReader(file)] == ['a', 'b', 'c']
    infer(str(tmp_path / 'a.tif'), out=out, tile=32)  # other settings: done again
    assert (out / 'a_map.tif').stat().st_mtime_ns > before
    (out / 'b_areas.csv').unlink()
    infer(str(tmp_path / '*.tif'), out=out, tile=32)
    assert (out / 'b_areas.csv').is_file()
    assert not list(out.glob('.rsmm-*'))


def test_averaging_eight_views_of_a_model_without_direction_changes_nothing(tmp_path):
    image, infer = noise(3, (37, 53)), inferencer()
    settings = dict(tile=32, stride=20, probabilities=True)
    (plain,), (averaged,) = (
        infer(image, tta=tta, **settings)['predictions'] for tta in (False, True)
    )
    np.testing.assert_array_equal(plain['labels'], averaged['labels'])
    np.testing.assert_allclose(plain['probabilities'], averaged['probabilities'], atol=1e-5)


def test_keywords_are_dispatched_and_known(tmp_path):
    infer = rsmm.apis.Inferencer
    sets = [infer.preprocess_kwargs, infer.forward_kwargs, infer.visualize_kwargs]
    sets.append(infer.postprocess_kwargs)
    assert len(set().union(*sets)) == sum(map(len, sets))
    for wrong, error in ((dict(tiles=3), ValueError), (dict(html=True), ConfigError)):
        with pytest.raises(error):
            inferencer()(noise(), **wrong)


def test_an_estimate_with_its_interval_stands_beside_the_counts(scene, tmp_path):
    matrix = tmp_path / 'confusion.csv'
    matrix.write_text(',class 1,class 0,class 2\nclass 1,40,5,5\nclass 0,2,48,0\nclass 2,0,5,45\n')
    (one,) = inferencer()(str(scene), out=tmp_path / 'out', confusion=matrix)['predictions']
    rows = one['areas']
    assert sum(row['adjusted_ha'] for row in rows) == pytest.approx(
        sum(row['area_ha'] for row in rows)
    )
    share = np.array([row['share'] for row in rows])
    assert rows[2]['adjusted_ha'] / 61 == pytest.approx(share[2] * 0.9 + share[1] * 0.1, rel=2e-3)
    assert all(row['margin_ha'] > 0 for row in rows)
    assert rows[0]['users_accuracy'] == pytest.approx(0.96)


def test_a_wrong_matrix_is_named(scene, tmp_path):
    (tmp_path / 'm.csv').write_text(',a,b\na,1,2\nb,3,4\n')
    with pytest.raises(DataError, match="m.csv: names the class 'a'"):
        inferencer()(str(scene), out=tmp_path / 'out', confusion=tmp_path / 'm.csv')
