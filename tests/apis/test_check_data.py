"""The data check: every kind of fault is found where it lies, and sound data pass."""

from __future__ import annotations

import html
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine

from rsmm.apis.check_data import check_data, role_of, split_of
from rsmm.datasets.check_sets import overlapping_windows
from rsmm.errors import ConfigError
from rsmm.geo.io import write_vector
from rsmm.toy import get_writer
from rsmm.visualization.check_page import as_text, write_check_page

ROOT = Path(__file__).parents[2]
PLACE = {'crs': 'EPSG:32636', 'transform': Affine(0.5, 0, 300000, 0, -0.5, 3000000)}
AWAY = {'crs': 'EPSG:32636', 'transform': Affine(0.5, 0, 309000, 0, -0.5, 3000000)}


def write(path: Path, array: np.ndarray, tags=None, descriptions=(), **profile) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    planes = array[None] if array.ndim == 2 else array
    shape = {'count': len(planes), 'height': planes.shape[1], 'width': planes.shape[2]}
    with rasterio.open(path, 'w', driver='GTiff', dtype=array.dtype, **shape, **profile) as target:
        target.write(planes)
        if tags:
            target.scales, target.offsets = tags
        for band, name in enumerate(descriptions, start=1):
            target.set_band_description(band, name)
    return path


def noise(seed: int, low: int = 1, bands: int = 3, dtype='uint8') -> np.ndarray:
    return np.random.default_rng(seed).integers(low, 255, (bands, 24, 24)).astype(dtype)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """Two splits with two images and labels each, each image at a place of its own."""
    for k, split in enumerate(('train', 'train', 'val', 'val')):
        at = Affine(0.5, 0, 300000 + 1000 * k, 0, -0.5, 3000000)
        for folder, array in (
            ('images', noise(k)),
            ('labels', np.resize(np.array([0, 1, 255], np.uint8), (24, 24))),
        ):
            write(tmp_path / split / folder / f'{k}.tif', array, crs='EPSG:32636', transform=at)
    return tmp_path


def test_sound_data_pass(sound: Path) -> None:
    check = check_data(sound)
    assert check.all_findings() == []
    assert check.samples == {'train': 2, 'val': 2}
    assert check.classes['val'] == {'0': 384, '1': 384, '255': 384}
    assert len(check.files) == 8


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def at(k: int) -> dict:
    return {'crs': 'EPSG:32636', 'transform': Affine(0.5, 0, 300000 + 1000 * k, 0, -0.5, 3000000)}


#: How to break the sound data, level and path of the finding, and what it says.
FAULTS = {
    'unreadable': (lambda r: cut(r / 'train/images/0.tif'), 'error', 'images/0.tif', 'read'),
    'no image at all': (
        lambda r: (r / 'train/images/0.tif').write_bytes(b'x'), 'error', 'images/0.tif', 'read'),
    'complex': (
        lambda r: write(r / 'train/images/0.tif', noise(0, dtype='complex64'), **at(0)),
        'error', 'images/0.tif', 'complex'),
    'no data': (
        lambda r: write(r / 'train/images/0.tif', noise(0) * 0, nodata=0, **at(0)),
        'error', 'images/0.tif', 'no pixel has data'),
    'much missing': (
        lambda r: write(r / 'val/images/2.tif', np.where(np.arange(24) < 20, 0, noise(2)), nodata=0,
                        **at(2)),
        'warning', 'val/images/2.tif', '83% of the pixels have no data'),
    'zeros': (
        lambda r: write(r / 'val/images/2.tif', np.where(np.arange(24) < 12, 0, noise(2)), **at(2)),
        'warning', 'val/images/2.tif', '50% of the pixels are 0'),
    'constant': (
        lambda r: write(r / 'val/images/2.tif', noise(2) * 0 + 7, **at(2)),
        'warning', 'val/images/2.tif', 'all values are 7'),
    'absurd': (
        lambda r: write(r / 'val/images/2.tif', np.where(noise(2) > 250, -3.4e38, 1.0).astype('f4'),
                        **at(2)),
        'error', 'val/images/2.tif', r'3.4e\+38, marked by no tag'),
    'tags': (
        lambda r: write(r / 'val/images/2.tif', noise(2), tags=((1e-4,) * 3, (-0.1,) * 3), **at(2)),
        'error', 'val/images/2.tif', r'other scale and offset tags \(scale 0.0001, offset -0.1\)'),
    'band names': (
        lambda r: write(r / 'val/images/2.tif', noise(2), descriptions=('B', 'G', 'R'), **at(2)),
        'warning', 'val/images/2.tif', r'other bands \(B, G, R\)'),
    'dtype': (
        lambda r: write(r / 'val/images/2.tif', noise(2, dtype='uint16'), **at(2)),
        'warning', 'val/images/2.tif', 'another dtype'),
    'nodata': (
        lambda r: write(r / 'val/images/2.tif', noise(2), nodata=255, **at(2)),
        'warning', 'val/images/2.tif', r'another nodata value \(255.0\)'),
    'pixel size': (
        lambda r: write(r / 'val/images/2.tif', noise(2), crs='EPSG:32636',
                        transform=Affine(0.6, 0, 302000, 0, -0.6, 3000000)),
        'warning', 'val/images/2.tif', 'pixels of 0.6 map units, others of 0.5'),
    'label elsewhere': (
        lambda r: write(r / 'train/labels/0.tif', np.zeros((24, 24), 'u1'), **AWAY),
        'error', 'train/labels/0.tif', 'pixels away'),
    'label size': (
        lambda r: write(r / 'train/labels/0.tif', np.zeros((20, 24), 'u1'), **at(0)),
        'error', 'train/labels/0.tif', 'the label has 20x24 pixels'),
    'no label': (
        lambda r: (r / 'train/labels/0.tif').unlink(), 'warning', 'train/images/0.tif', 'no label'),
    'a picture as label': (
        lambda r: write(r / 'train/labels/0.tif', noise(9, bands=1), **at(0)),
        'warning', 'train/labels/0.tif', 'different values: is it a label'),
    'class of val alone': (
        lambda r: write(r / 'val/labels/2.tif', np.full((24, 24), 7, 'u1'), **at(2)),
        'warning', '', 'labels of val hold 7, train none'),
    'same pixels in train and val': (
        lambda r: write(r / 'val/images/2.tif', noise(0), **at(2)),
        'error', 'val/images/2.tif', r'same pixels as .*train/images/0.tif, which is in train'),
    'same pixels twice': (
        lambda r: write(r / 'val/images/3.tif', noise(2), **at(3)),
        'warning', 'val/images/3.tif', 'same pixels as .*2.tif'),
    'same place in train and val': (
        lambda r: write(r / 'val/images/2.tif', noise(2), **at(0)),
        'warning', 'val/images/2.tif', 'shows 100% of the place of .*train/images/0.tif'),
    'two of one stem': (
        lambda r: write(r / 'val/images/2.TIFF', noise(5), **at(2)),
        'error', 'val/images/2.tif', 'has the same name'),
    'broken footprints': (
        lambda r: (r / 'train/b.geojson').write_text('{"type": '), 'error', 'b.geojson', 'read'),
    'invalid footprints': (
        lambda r: write_vector(r / 'train/b.geojson',
                               [shapely.Polygon([(0, 0), (9, 9), (9, 0), (0, 9)])]),
        'warning', 'b.geojson', '1 of 1 geometries are invalid'),
    'broken COCO': (
        lambda r: (r / 'train/a.json').write_text(
            json.dumps({'images': [], 'categories': [], 'annotations': [{'id': 1}]})),
        'error', 'a.json', r'annotations\[0\] has no image_id'),
}  # fmt: skip


@pytest.mark.parametrize('fault', FAULTS)
def test_every_fault_is_found(sound: Path, tmp_path: Path, fault: str) -> None:
    breaks, level, path, message = FAULTS[fault]
    breaks(sound)
    check = check_data(sound)
    hits = [
        one for one in check.all_findings()
        if one.level == level and one.path.endswith(path) and _matches(message, one.what)
    ]  # fmt: skip
    assert len(hits) == 1, as_text(check)
    page = tmp_path / 'page.html'
    write_check_page(page, check)
    assert f'<div class="{level}">{html.escape(hits[0].what)}</div>' in page.read_text()


def _matches(message: str, text: str) -> bool:
    import re

    return re.search(message, text) is not None


def test_clutter_is_not_checked(sound: Path) -> None:
    (sound / 'train/images/._0.tif').write_bytes(b'x')
    (sound / 'train/images/Thumbs.db').write_bytes(b'x')
    assert check_data(sound).all_findings() == []


@pytest.mark.parametrize(
    ('path', 'split', 'role'),
    [
        ('train/A/x.png', 'train', 'image'),
        ('Validation/label/x.png', 'val', 'label'),
        ('x_15label.tif', '', 'label'),
        ('labels_match/x.geojson', '', 'footprints'),
        ('Train/Urban/masks_png/1.png', 'train', 'label'),
        ('annotated_images/x.tif', '', 'image'),
        ('ann_dir/train/x.tif', 'train', 'label'),
    ],
)
def test_roles_and_splits(path: str, split: str, role: str) -> None:
    assert (split_of(Path(path)), role_of(Path(path))) == (split, role)


def test_windows_of_train_and_val() -> None:
    def found(train, val) -> int:
        return len(overlapping_windows([('train', 'a', train), ('val', 'a', val)]))

    assert found((0, 0, 10, 10), (0, 10, 10, 10)) == 0
    assert found((0, 0, 10, 10), (9, 9, 10, 10)) == 1
    assert found((0, 0, 10, 10), None) == found(None, None) == 1
    assert overlapping_windows([('train', 'a', None), ('val', 'b', None)]) == []


@pytest.fixture(scope='module')
def eurosat(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('toy') / 'eurosat'
    get_writer('eurosat')(root, chips_per_class=4, products=('ms',))
    return root


CONFIG = str(ROOT / 'configs/eurosat/resnet18_scratch-12e_eurosat-ms.py')


def run_tool(*arguments: object) -> int:
    path = ROOT / 'tools/analysis_tools/check_data.py'
    spec = importlib.util.spec_from_file_location('check_data_tool', path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    try:
        tool.main([str(argument) for argument in arguments])
    except SystemExit as error:
        return error.code
    return 0


def test_a_config(eurosat: Path, tmp_path: Path, capsys) -> None:
    page = tmp_path / 'page.html'
    line = [CONFIG, '--cfg-options', f'data_root={eurosat}', '--out', page]
    assert run_tool(*line) == 0
    out = capsys.readouterr().out
    assert '0 errors' in out
    assert 'AnnualCrop 3' in out
    check = check_data(CONFIG, options={'data_root': str(eurosat)})
    assert check.samples == {'train': 30, 'val': 10}
    assert {one.split for one in check.files} == {'train', 'val'}
    assert page.read_text().count('<tr>') == 3 + 1 + 40


def test_a_config_with_a_broken_file(eurosat: Path, tmp_path: Path, capsys) -> None:
    import shutil

    root = tmp_path / 'eurosat'
    shutil.copytree(eurosat, root)
    path = next(root.rglob('River_*.tif'))
    cut(path)
    assert run_tool(CONFIG, '--cfg-options', f'data_root={root}') == 1
    assert f'ERROR   {path}' in capsys.readouterr().out


def test_a_config_without_data(tmp_path: Path, capsys) -> None:
    assert run_tool(CONFIG, '--cfg-options', f'data_root={tmp_path / "none"}') == 1
    assert 'there is no such folder' in capsys.readouterr().out


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='holds no images'):
        check_data(tmp_path)


def test_names_are_escaped(sound: Path, tmp_path: Path) -> None:
    name = sound / 'train' / 'images' / '<img src=x>\n\x1b[31m".tif'
    write(name, noise(7) * 0 + 3, **at(7))
    check = check_data(sound)
    page = tmp_path / 'page.html'
    write_check_page(page, check)
    assert '<img src' not in page.read_text()
    text = as_text(check)
    assert '\x1b' not in text
    assert r'<img src=x>\n\x1b[31m".tif: all values are 3' in text
