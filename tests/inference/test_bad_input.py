"""What can be wrong with scenes, tables, servers, disks, folders: a clear error, nothing lost."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rsmm.errors import ConfigError, DataError, DataNotFoundError, DownloadError, RsmmError
from rsmm.geo.io import write_raster
from rsmm.inference.inferencer import Inferencer
from rsmm.inference.inputs import find_scenes
from tests.inference.killed import fill_disk
from tests.inference.small_models import (
    COLOURS,
    PLACE,
    Brightest,
    Difference,
    Season,
    inferencer,
    small_config,
)

IMAGE = np.random.default_rng(0).integers(1, 250, (40, 50, 3)).astype(np.uint8)
MOVED = {**PLACE, 'transform': (10.0, 0.0, 500020.0, 0.0, -10.0, 4600000.0)}


def write(path: Path, image=IMAGE, place=PLACE, **more) -> str:
    write_raster(path, image, **place, **more)
    return str(path)


def text(path: Path, content: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return str(path)


#: Model, what is given (a function of the folder), error and text.
REFUSED = {
    'no such file': (Brightest, lambda d: str(d / 'x.tif'), DataNotFoundError, 'no such file'),
    'no glob': (Brightest, lambda d: str(d / '*.tif'), DataNotFoundError, 'no file is called so'),
    'an empty folder': (Brightest, str, DataError, 'holds no images'),
    'nothing': (Brightest, lambda d: [], ConfigError, 'no inputs'),
    'other bands': (
        Brightest, lambda d: write(d / 'a.tif', bands=('B05', 'B06', 'B07')),
        DataError, 'band B04, .* not among B05, B06, B07',
    ),
    'too many bands': (
        Brightest, lambda d: write(d / 'a.tif', np.zeros((9, 9, 4), np.uint16)),
        DataError, 'expected 3 bands .*, found 4',
    ),
    'complex': (
        Brightest, lambda d: write(d / 'a.tif', np.zeros((9, 9, 3), np.complex64)),
        DataError, 'complex values',
    ),
    'a cut file': (Brightest, lambda d: text(d / 'a.tif', 'II*\0broken'), DataError, 'cannot be'),
    'one of two dates': (Difference, lambda d: write(d / 'a.tif'), ConfigError, 'takes 2'),
    'other grids': (
        Difference, lambda d: [write(d / 'a.tif'), write(d / 'b.tif', place=MOVED)],
        DataError, 'lies 2 pixels away',
    ),
    'other sizes': (
        Difference, lambda d: [write(d / 'a.tif'), write(d / 'b.tif', IMAGE[:30])],
        DataError, 'differs in size',
    ),
    'folders that do not pair': (
        Difference,
        lambda d: [str(Path(write(d / 'A' / '1.tif')).parent),
                   str(Path(write(d / 'B' / '2.tif')).parent)],
        DataError, '1 is in one of the two folders only',
    ),
    'no date': (Season, lambda d: [write(d / 'field.tif')], DataError, 'nothing tells its date'),
    'one day twice': (
        Season, lambda d: [write(d / '2020-01-01_a.tif'), write(d / '2020-01-01_b.tif')],
        DataError, 'is of 2020-01-01, as',
    ),
    'series of unknown norm': (
        Season, lambda d: [write(d / '2020-01-01.tif')], ConfigError, 'normalised',
    ),
    'two of one name': (
        Brightest, lambda d: [write(d / 'a' / 'x.tif'), write(d / 'b' / 'X.tif')],
        DataError, '2 scenes are called x',
    ),
    'lost files': (
        Brightest,
        lambda d: text(d / 's.csv', f'path\n{write(d / "a.tif")}\nb.tif\nc.tif\n'),
        DataNotFoundError, '2 of 3 files are not there: .*b.tif',
    ),
    'no table': (Brightest, lambda d: text(d / 's.csv', 'a,b\n1,2\n'), DataError, 'columns a, b'),
    'no rows': (Brightest, lambda d: text(d / 's.csv', 'path\n'), DataError, '0 rows'),
    'an empty cell': (
        Brightest, lambda d: text(d / 's.csv', 'path,name\n,a\n'), DataError, 'line 2',
    ),
    'a bad date': (
        Brightest, lambda d: text(d / 's.csv', f'path,date\n{write(d / "a.tif")},May\n'),
        DataError, "no date 'May'",
    ),
    'a name that climbs out': (
        Brightest, lambda d: text(d / 's.csv', f'path,name\n{write(d / "a.tif")},../x\n'),
        DataError, 'is no name of a file',
    ),
    'no item': (Brightest, lambda d: text(d / 'i.json', '{"a": 1}'), DataError, 'no STAC item'),
    'no JSON': (Brightest, lambda d: text(d / 'i.json', '<html>'), DataError, 'is no JSON'),
    'an item without the bands': (
        Brightest,
        lambda d: text(d / 'i.json', json.dumps({'assets': {
            k: {'href': f'{k}.tif', 'type': 'image/tiff'} for k in ('scl', 'aot')}})),
        DataError, 'no asset holds B04, B03, B02; there are scl, aot',
    ),
    'no host': (Brightest, lambda d: 'http://127.0.0.1:9/a.tif', DataError, 'cannot be read'),
    'no host for an item': (
        Brightest, lambda d: 'http://127.0.0.1:9/a.json', DownloadError, 'cannot be fetched',
    ),
    'an odd array': (Brightest, lambda d: np.zeros((2, 2, 2, 2)), DataError, 'array of shape'),
    'texts': (Brightest, lambda d: np.array([['a']]), DataError, 'array of shape'),
    'a number': (Brightest, lambda d: [3], ConfigError, 'int is no path'),
}  # fmt: skip


@pytest.mark.parametrize(('kind', 'given', 'error', 'message'), REFUSED.values(), ids=REFUSED)
def test_refused_and_nothing_written(tmp_path, monkeypatch, kind, given, error, message):
    monkeypatch.setenv('GDAL_HTTP_MAX_RETRY', '0')
    (tmp_path / 'in').mkdir()
    with pytest.raises(error, match=message):
        inferencer(kind)(given(tmp_path / 'in'), out=tmp_path / 'out', polygons=True)
    assert not list((tmp_path / 'out').glob('*_map.tif*'))
    assert not list((tmp_path / 'out').glob('.rsmm-*'))


#: What is handled instead: image, place and options; and what the map or the warnings hold.
HANDLED = {
    'smaller than a window': (IMAGE[:3, :5], PLACE, {}, None),
    'one pixel': (IMAGE[:1, :1], PLACE, {}, None),
    'wholly without data': (np.zeros((20, 30, 3), np.uint8), PLACE, {'nodata': 0}, 'no pixel has'),
    'no coordinate system': (IMAGE, {}, {}, 'has no coordinate system'),
    'floats with gaps': (np.where(IMAGE < 9, np.nan, IMAGE).astype(np.float32), PLACE, {}, None),
    'a south-up grid': (IMAGE, {**PLACE, 'transform': (10, 0, 5e5, 0, 10, 4.6e6)}, {}, None),
}


@pytest.mark.parametrize(('image', 'place', 'more', 'warning'), HANDLED.values(), ids=HANDLED)
def test_handled(tmp_path, image, place, more, warning):
    import rasterio

    path = write(tmp_path / 'a.tif', image, place, **more)
    (one,) = inferencer()(path, out=tmp_path, polygons=True, probabilities=True, html=True)[
        'predictions'
    ]
    assert [warning in text for text in one['warnings']] == ([True] if warning else [])
    with rasterio.open(tmp_path / 'a_map.tif') as source:
        labels = source.read(1)
    gaps = ~np.isfinite(image).all(axis=2) | ((image == 0).all(axis=2) if more else False)
    np.testing.assert_array_equal(labels == 255, gaps)


def test_a_server_that_stalls_or_breaks_off(tmp_path, monkeypatch):
    for name, value in (('TIMEOUT', '3'), ('MAX_RETRY', '0')):
        monkeypatch.setenv(f'GDAL_HTTP_{name}', value)
    for name in ('stalls.tif', 'breaks.tif', 'good.tif'):
        write(tmp_path / name, np.tile(IMAGE, (4, 4, 1)))
    command = [sys.executable, str(Path(__file__).with_name('range_server.py')), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        host = f'http://127.0.0.1:{int(server.stdout.readline())}'
        for name in ('stalls.tif', 'breaks.tif', 'missing.tif'):
            with pytest.raises(DataError, match='cannot be read'):
                inferencer()([f'{host}/good.tif', f'{host}/{name}'], out=tmp_path / 'out')
            assert (tmp_path / 'out' / 'good_map.tif').is_file()  # what was done is kept
        server.terminate()
    assert len(list((tmp_path / 'out').glob('*_map.tif'))) == 1


def test_a_full_disk(tmp_path):
    write(tmp_path / 'a.tif', np.random.default_rng(0).integers(0, 255, (300, 400, 3)).astype('u1'))
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['tests.inference.killed'])
    with context.Pool(1) as pool:
        name, message = pool.apply(fill_disk, (tmp_path / 'a.tif', tmp_path / 'out'))
    assert name == 'DataError'
    assert 'cannot be written' in message
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['.lock']


FOREIGN = ('a_map.tif', 'a_areas.csv', 'summary.csv', 'index.html')


@pytest.mark.parametrize('name', FOREIGN)
def test_foreign_files_stay(tmp_path, name):
    path = write(tmp_path / 'a.tif')
    text(tmp_path / 'out' / name, 'mine')
    with pytest.raises(ConfigError, match=f'{name}: is there already'):
        inferencer()(path, out=tmp_path / 'out')
    assert (tmp_path / 'out' / name).read_text() == 'mine'


def test_never_over_an_input(tmp_path):
    path = write(tmp_path / 'a_map.tif')
    write(tmp_path / 'a.tif')
    before = Path(path).read_bytes()
    with pytest.raises(ConfigError, match='would replace an input'):
        inferencer()([str(tmp_path / 'a.tif'), path], out=tmp_path)
    assert Path(path).read_bytes() == before


def test_settings_that_cannot_be(tmp_path):
    path, infer = write(tmp_path / 'a.tif'), inferencer()
    cases = [
        (dict(probabilities='float64'), 'probabilities'), (dict(vector='shp'), 'vector'),
        (dict(merge='best'), 'merge'), (dict(tile=8, stride=9), 'stride'),
        (dict(confusion=np.ones((2, 2))), 'confusion matrix'),
    ]  # fmt: skip
    for settings, message in cases:
        with pytest.raises(RsmmError, match=message):
            infer(path, out=tmp_path / 'out', **settings)
    (tmp_path / 'file').write_text('')
    with pytest.raises(ConfigError, match='results go to a folder'):
        infer(path, out=tmp_path / 'file')
    (tmp_path / 'out' / 'predict.json').write_text('[]')
    with pytest.raises(DataError, match='no record of predictions'):
        infer(path, out=tmp_path / 'out')


def test_models_that_make_no_map():
    import torch
    from mmengine.model import BaseModel

    class Plain(BaseModel):
        def forward(self, inputs, data_samples=None, mode='tensor'):
            return torch.zeros(1)

    with pytest.raises(ConfigError, match='makes neither maps nor boxes'):
        Inferencer(small_config(Plain), 'random')
    with pytest.raises(ConfigError, match='no weights have been released|no .*called'):
        Inferencer('resnet18_scratch-12e_eurosat-rgb')


def test_pairs_from_a_table_and_from_folders(tmp_path):
    for folder in ('A', 'B'):
        for name in ('x', 'y'):
            write(tmp_path / folder / f'{name}.tif', bands=COLOURS)
    pairs = find_scenes([tmp_path / 'A', tmp_path / 'B'], 2)
    assert [(one.name, len(one.images)) for one in pairs] == [('x', 2), ('y', 2)]
    table = text(tmp_path / 's.csv', 'name,before,after\none,A/x.tif,B/x.tif\n')
    (one,) = find_scenes([table], 2)
    assert one.name == 'one'
    assert [Path(path).parent.name for path in one.paths] == ['A', 'B']
