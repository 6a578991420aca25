"""Files as people have them, over every dataset that lists files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from rsmm.errors import DataError
from rsmm.geo.io import write_raster
from rsmm.registry import DATASETS
from rsmm.toy import get_writer

STEM = 'global_monthly_2018_{:02d}_mosaic_L15-0331E-1257N_1327_3160_13'
EMPTY = json.dumps({'type': 'FeatureCollection', 'features': []})
IMAGE = np.random.default_rng(0).integers(1, 255, (64, 64, 3), dtype=np.uint8)
OSCD = 'Onera Satellite Change Detection dataset - '


def picture(path: Path, array: np.ndarray = IMAGE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == '.tif':
        write_raster(path, array)
    else:
        cv2.imwrite(str(path), array)


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def label(path: Path, value: int = 1) -> None:
    picture(path, np.full((64, 64), value, np.uint8))


def eurosat(root: Path) -> None:
    for name in ('AnnualCrop', 'Forest'):
        for number in (1, 2):
            picture(root / '2750' / name / f'{name}_{number}.jpg')


def eurosat_ms(root: Path) -> None:
    get_writer('eurosat')(root, chips_per_class=1, products=('ms',))


def change(root: Path) -> None:
    for name in 'ab':
        picture(root / 'A' / f'{name}.png')
        picture(root / 'B' / f'{name}.png')
        label(root / 'label' / f'{name}.png', 0)


def gid(root: Path) -> None:
    for name in 'ab':
        picture(root / 'image' / 'farm' / f'{name}.tif')
        label(root / 'label_gray' / 'farm' / f'{name}_15label.tif')


def loveda(root: Path) -> None:
    for name in '12':
        picture(root / 'Train/Urban/images_png' / f'{name}.png')
        label(root / 'Train/Urban/masks_png' / f'{name}.png')


def oscd(root: Path) -> None:
    for date in (1, 2):
        for band in ('B04', 'B03', 'B02'):
            folder = root / f'{OSCD}Images/rio/imgs_{date}_rect'
            picture(folder / f'x_{band}.tif', IMAGE[..., 0])
    label(root / f'{OSCD}Test Labels/rio/cm/cm.png', 0)


def spacenet7(root: Path) -> None:
    folder = root / 'train/L15-0331E-1257N_1327_3160_13'
    for month in (1, 2, 3):
        picture(folder / 'images' / f'{STEM.format(month)}.tif')
        text(folder / 'labels' / f'{STEM.format(month)}_Buildings.geojson', EMPTY)


def building_tiles(root: Path) -> None:
    for name in 'ab':
        picture(root / '3band' / f'RGB-PanSharpen_{name}.tif')
        text(root / 'geojson/buildings' / f'buildings_{name}.geojson', EMPTY)


def dota(root: Path) -> None:
    for name in 'ab':
        picture(root / 'images' / f'{name}.png')
        text(root / 'labelTxt' / f'{name}.txt', '1 1 9 1 9 9 1 9 plane 0\n')


def nwpu(root: Path) -> None:
    for name in ('001', '002'):
        picture(root / 'positive image set' / f'{name}.jpg')
        text(root / 'ground truth' / f'{name}.txt', '(1,2),(9,9),1\n')


def tiles(root: Path) -> None:
    for name in ('12_1_1', '12_1_2'):
        picture(root / 'cairo' / f'{name}.tif')


def places(root: Path) -> None:
    for place in ('000000', '000001'):
        for day in ('20200101', '20200401', '20200701', '20201001', '20210101'):
            for band in ('B2', 'B3', 'B4'):
                picture(root / place / f'{day}T000000_T36' / f'{band}.tif', IMAGE[..., 0])


#: What writes a small copy, the dataset, and whether images and labels come in pairs.
LAYOUTS: dict[str, tuple[Callable[[Path], None], dict, bool]] = {
    'EuroSAT': (eurosat, dict(type='EuroSAT', split='all'), False),
    'EuroSAT 13 bands': (eurosat_ms, dict(type='EuroSAT', split='all', bands='ms'), False),
    'ChangeFolder': (change, dict(type='ChangeFolder'), True),
    'GID': (gid, dict(type='GID', split='all'), True),
    'LoveDA': (loveda, dict(type='LoveDA', scenes='Urban'), True),
    'OSCD': (oscd, dict(type='OSCD', split='test'), False),
    'SpaceNet7': (spacenet7, dict(type='SpaceNet7Dataset', labels='labels'), False),
    'BuildingTiles': (building_tiles, dict(type='BuildingTiles'), True),
    'DOTA': (dota, dict(type='DOTA'), True),
    'NWPU': (nwpu, dict(type='NWPUVHR10'), True),
    'UnlabeledTiles': (tiles, dict(type='UnlabeledTiles'), False),
    'ImageTable': (tiles, dict(type='ImageTable', folder='.'), False),
    'SeCo': (places, dict(type='SeCoDataset', bands='s2-rgb'), False),
}
DATA = ('.tif', '.jpg', '.png', '.txt', '.geojson')


@pytest.fixture(params=LAYOUTS)
def layout(request, tmp_path: Path):
    write, settings, paired = LAYOUTS[request.param]
    write(tmp_path / 'data')
    return tmp_path / 'data', settings, paired


def listed(root: Path, settings: dict) -> list:
    """What a dataset lists, with names in small letters."""
    data = DATASETS.build(dict(data_root=str(root), **settings))
    return [json.dumps(data.get_data_info(k), sort_keys=True, default=str).lower()
            for k in range(len(data))]  # fmt: skip


def data_files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob('*') if path.suffix in DATA)


def test_suffixes_in_capitals(layout) -> None:
    root, settings, _ = layout
    expected = listed(root, settings)
    for path in data_files(root)[::2]:
        path.rename(path.with_suffix(path.suffix.upper()))
    assert listed(root, settings) == expected


@pytest.mark.parametrize(('one', 'other'), [('.tif', '.tiff'), ('.jpg', '.jpeg')])
def test_other_spellings(layout, one: str, other: str) -> None:
    root, settings, _ = layout
    expected = listed(root, settings)
    for path in data_files(root):
        if path.suffix == one:
            path.rename(path.with_suffix(other))
    assert [info.replace(other, one) for info in listed(root, settings)] == expected


def test_clutter_beside_every_file(layout) -> None:
    root, settings, _ = layout
    expected = listed(root, settings)
    for path in data_files(root):
        path.with_name(f'._{path.name}').write_bytes(b'\0\5\x16\7Mac OS X')
        path.with_name('Thumbs.db').write_bytes(b'x')
        path.with_name('.DS_Store').write_bytes(b'x')
        for folder in ('.ipynb_checkpoints', '__MACOSX', '@eaDir'):
            path.with_name(folder).mkdir(exist_ok=True)
            shutil.copy(path, path.with_name(folder) / path.name)
    assert listed(root, settings) == expected


def test_two_files_of_one_stem(layout) -> None:
    root, settings, _ = layout
    first = next(path for path in data_files(root) if path.suffix in DATA[:3])
    shutil.copy(first, first.with_suffix('.TIFF' if first.suffix == '.tif' else '.JPEG'))
    if settings['type'] in ('UnlabeledTiles', 'ImageTable'):
        return  # without labels nothing is lost: both are listed
    with pytest.raises(DataError, match=r'the same name|of the same band'):
        listed(root, settings)


def test_half_a_download_is_said(layout) -> None:
    root, settings, paired = layout
    if not paired:
        pytest.skip('nothing says how many there were')
    for lost in (data_files(root)[0], data_files(root)[-1]):
        moved = lost.rename(root.parent / lost.name)
        with pytest.raises(DataError, match=r'ha(s|ve) no '):
            listed(root, settings)
        moved.rename(lost)
    assert listed(root, settings)


def test_a_link_that_leads_nowhere(layout) -> None:
    """As of git-annex or an unfinished copy: the sample would be left out without a word."""
    root, settings, _ = layout
    lost = next(path for path in data_files(root) if path.suffix in DATA[:3])
    lost.unlink()
    lost.symlink_to(root.parent / 'gone')
    with pytest.raises(DataError, match='is a link to'):
        listed(root, settings)


@pytest.mark.parametrize('name', ["it's  a", 'say "x"', 'x\ny', '100%', 'a;b#c?d', '雪', '(1),2'])
def test_odd_folder_names(layout, tmp_path: Path, name: str) -> None:
    root, settings, _ = layout
    odd = root.rename(tmp_path / name)
    loads = {'ChangeFolder': 'LoadPair', 'OSCD': 'LoadPair', 'BuildingTiles': 'LoadMosaic',
             'SpaceNet7Dataset': 'LoadMosaic', 'SeCoDataset': None}  # fmt: skip
    step = loads.get(settings['type'], 'LoadRaster')
    pipeline = [] if step is None else [dict(type=step)]
    if settings['type'] in ('BuildingTiles', 'SpaceNet7Dataset'):
        pipeline.append(dict(type='LoadFootprints'))
    data = DATASETS.build(dict(data_root=str(odd), pipeline=pipeline, **settings))
    assert len(data)
    assert step is None or data[0]['img'].size


@pytest.mark.parametrize('name', ['../a.tif', '/etc/passwd', 'x/../../a.tif'])
@pytest.mark.parametrize('reader', ['ImageTable', 'BigEarthNet'])
def test_lists_stay_in_their_root(tmp_path: Path, reader: str, name: str) -> None:
    picture(tmp_path / 'a.tif')
    (tmp_path / 'data').mkdir()
    if reader == 'ImageTable':
        text(tmp_path / 'data/table.csv', f'path,label\n{name},x\n')
        settings = dict(type='ImageTable', table='table.csv')
    else:
        text(tmp_path / 'data/list.txt', f'{name}\n')
        settings = dict(type='BigEarthNet', split_file=str(tmp_path / 'data/list.txt'))
    with pytest.raises(DataError, match='leads out of'):
        listed(tmp_path / 'data', settings)
