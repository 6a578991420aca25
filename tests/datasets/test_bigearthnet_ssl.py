"""BigEarthNet for semi-supervised learning: lists, places, dates, pickles that may not run."""

from __future__ import annotations

import csv
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from pyproj import CRS

from rsmm.checkpoints.frame_pickle import read_frame_pickle
from rsmm.datasets.bigearthnet_lists import PUBLISHED_43, convert_split, list_folder, names_of
from rsmm.datasets.bigearthnet_ssl import BigEarthNetSSL, read_metadata
from rsmm.datasets.classes import CLASSES
from rsmm.datasets.transforms.scaling import ScaleMeanStd
from rsmm.datasets.transforms.scenes import LoadBandFiles
from rsmm.errors import ConfigError, DataError, DataNotFoundError

PATCHES = {
    'S2A_1_1': (['Pastures', 'Vineyards', 'Airports'], '2017-06-13 10:10:31'),
    'S2A_1_2': (['Airports'], '2017-12-21 11:25:01'),
    'S2A_1_3': (['Sea and ocean', 'Coastal lagoons'], '2017-09-24 09:30:20'),
}


@pytest.fixture
def root(tmp_path):
    for number, (name, (labels, date)) in enumerate(PATCHES.items()):
        (tmp_path / name).mkdir()
        left, top = 600000 + 1200 * number, 5200000
        about = {
            'labels': labels,
            'coordinates': {'ulx': left, 'uly': top, 'lrx': left + 1200, 'lry': top - 1200},
            'projection': CRS.from_epsg(32633).to_wkt('WKT1_GDAL'),
            'tile_source': 'S2A.SAFE',
            'acquisition_date': date,
        }
        (tmp_path / name / f'{name}_labels_metadata.json').write_text(json.dumps(about))
    return tmp_path


def test_label_orders_hold_the_same_names() -> None:
    assert sorted(PUBLISHED_43) == sorted(CLASSES['bigearthnet-43'])


def test_scores_place_and_date_from_the_json(root) -> None:
    data = BigEarthNetSSL(data_root=str(root), num_classes=43)
    info = data.get_data_info(0)
    held = {CLASSES['bigearthnet-43'][i] for i, value in enumerate(info['gt_score']) if value}
    assert held == set(PATCHES['S2A_1_1'][0])
    assert info['day_of_year'] == 164
    assert info['latitude'] == pytest.approx(46.94, abs=0.02)
    assert info['longitude'] == pytest.approx(16.32, abs=0.02)
    nineteen = BigEarthNetSSL(data_root=str(root))
    assert sum(nineteen.get_data_info(0)['gt_score']) == 2
    assert sum(nineteen.get_data_info(1)['gt_score']) == 0  # kept, with no label set
    assert sum(nineteen.get_data_info(2)['gt_score']) == 1  # both are marine waters


def test_a_list_says_the_same_as_the_folder(root, tmp_path) -> None:
    path = tmp_path / 'lists.csv'
    assert list_folder(root, path) == 3
    listed = BigEarthNetSSL(data_root=str(root), split_file=str(path), num_classes=43)
    folder = BigEarthNetSSL(data_root=str(root), num_classes=43)
    for first, second in zip(listed.load_data_list(), folder.load_data_list(), strict=True):
        assert first == second
    names = tmp_path / 'names.csv'
    names.write_text('S2A_1_3\nS2A_1_1\n')
    chosen = BigEarthNetSSL(data_root=str(root), split_file=str(names), num_classes=43)
    assert [info['patch'] for info in chosen.load_data_list()] == ['S2A_1_3', 'S2A_1_1']
    assert chosen.load_data_list()[1] == folder.load_data_list()[0]


def test_excluded_patches_and_ablations(root, tmp_path) -> None:
    (tmp_path / 'snow.csv').write_text('S2A_1_2\n')
    data = BigEarthNetSSL(
        data_root=str(root), exclude_files=[str(tmp_path / 'snow.csv')], use_place=False,
        use_date=False,
    )  # fmt: skip
    infos = data.load_data_list()
    assert [info['patch'] for info in infos] == ['S2A_1_1', 'S2A_1_3']
    assert {(i['latitude'], i['longitude'], i['day_of_year']) for i in infos} == {(0.0, 0.0, 1)}


def test_own_draws_are_nested(root) -> None:
    def names(**settings):
        data = BigEarthNetSSL(data_root=str(root), **settings)
        return {info['patch'] for info in data.load_data_list()}

    one, two = (names(subset='labelled', num_labels=n) for n in (1, 2))
    assert len(one) == 1
    assert one < two
    assert names(subset='unlabelled', num_labels=2) == set(PATCHES)
    assert names(subset='unlabelled', num_labels=2, include_labelled=False) == set(PATCHES) - two
    with pytest.raises(ConfigError, match='4 labelled of 3'):
        names(subset='labelled', num_labels=4)
    with pytest.raises(ConfigError, match='BigEarthNetSSL'):
        names(subset='labelled')


def published_table(rows: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            'patch': [f'S2A_9_{i}' for i in range(rows)],
            'lat': rng.uniform(36, 68, rows),
            'lng': rng.uniform(-9, 31, rows),
            'date': ['2017-06-13 10:10:31'] * (rows - 1) + [np.nan],
            'country': 'Austria',
            'season': 'summer',
            'original_split': 'train',
            'multi_hot_labels19': list(rng.integers(0, 2, (rows, 19))),
            'multi_hot_labels43': list(rng.integers(0, 2, (rows, 43))),
        }
    )


@pytest.mark.parametrize('protocol', [2, 4, 5])
def test_published_pickles_become_lists(protocol: int, tmp_path) -> None:
    frame = published_table()
    frame.to_pickle(tmp_path / 'train0.01_lb_43.pkl', protocol=protocol)
    out = tmp_path / 'lb.csv'
    assert convert_split(tmp_path / 'train0.01_lb_43.pkl', out) == 5
    with open(out, newline='') as file:
        rows = list(csv.DictReader(file))
    for row, source in zip(rows, frame.itertuples(), strict=True):
        assert float(row['latitude']) == source.lat
        held = [PUBLISHED_43[i] for i in np.flatnonzero(source.multi_hot_labels43)]
        assert row['labels'].split('|') == held == names_of(source.multi_hot_labels43)
    assert rows[-1]['date'] == ''
    data = BigEarthNetSSL(data_root=str(tmp_path), split_file=str(out), num_classes=43)
    info = data.get_data_info(4)
    assert info['day_of_year'] is None
    own = [CLASSES['bigearthnet-43'].index(name) for name in held]
    assert np.flatnonzero(info['gt_score']).tolist() == sorted(own)


class Bomb:
    """Runs a command when unpickled."""

    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f'touch {self.path}',)


@pytest.mark.parametrize('place', ['alone', 'in the table', 'as a builtin'])
def test_a_pickle_that_carries_code_runs_nothing(place: str, tmp_path) -> None:
    trace, path = tmp_path / 'trace', tmp_path / 'split.pkl'
    if place == 'alone':
        path.write_bytes(pickle.dumps(Bomb(trace)))
    elif place == 'in the table':
        frame = published_table(2)
        frame['country'] = [Bomb(trace), 'Austria']
        frame.to_pickle(path)
    else:
        code = f'open({str(trace)!r}, "w")'.encode()
        path.write_bytes(b'cbuiltins\neval\n(S' + repr(code.decode()).encode() + b'\ntR.')
    with pytest.raises(DataError, match='nothing of it was run'):
        convert_split(path, tmp_path / 'out.csv')
    assert not trace.exists()
    assert not (tmp_path / 'out.csv').exists()


def test_files_that_are_no_split(tmp_path) -> None:
    (tmp_path / 'a.pkl').write_bytes(b'nothing')
    (tmp_path / 'b.pkl').write_bytes(pickle.dumps([1, 2]))
    published_table().drop(columns='lat').to_pickle(tmp_path / 'c.pkl')
    frame = published_table()
    frame.at[1, 'multi_hot_labels43'] = np.array([2] * 43)
    frame.to_pickle(tmp_path / 'd.pkl')
    for name, message in (
        ('a', 'pickle'), ('b', 'a list, not a table'), ('c', 'lacks lat'), ('d', 'row 1: .*zeros'),
    ):  # fmt: skip
        with pytest.raises(DataError, match=message):
            convert_split(tmp_path / f'{name}.pkl', tmp_path / 'out.csv')
    with pytest.raises(DataNotFoundError):
        read_frame_pickle(tmp_path / 'missing.pkl')


def test_lists_that_cannot_be(root, tmp_path) -> None:
    path = tmp_path / 'list.csv'
    header = 'patch,latitude,longitude,date,labels\n'
    for text, message in (
        ('S2A_1_1\nS2A_1_2\nS2A_1_1\n', 'row 3.*twice'),
        (header + 'S2A_1_1,1,2,2017-01-01,Pasture\n', "unknown label 'Pasture'. Did you mean"),
        (header + 'S2A_1_1,91,2,2017-01-01,Pastures\n', 'S2A_1_1: .*globe'),
        (header + 'S2A_1_1,1,2,soon,Pastures\n', 'no date'),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            BigEarthNetSSL(data_root=str(root), split_file=str(path))


def test_tool_writes_a_list(root, tmp_path, repo_root) -> None:
    tool = repo_root / 'tools/dataset_converters/bigearthnet_lists.py'
    run = subprocess.run(
        [sys.executable, tool, str(root), '--out', str(tmp_path / 'all.csv')],
        capture_output=True, text=True, env={**os.environ, 'PYTHONPATH': str(repo_root)},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert '3 patches' in run.stdout


@pytest.mark.realdata
def test_genuine_patch_golden(real_data) -> None:
    """Place, day and radiometry of S2A_MSIL2A_20170617T113321_36_85."""
    root = real_data / 'bigearthnet_patch' / 'tiny_s2'
    data = BigEarthNetSSL(data_root=str(root), num_classes=43)
    info = data.get_data_info(0)
    assert info['latitude'] == pytest.approx(52.30844, abs=1e-5)
    assert info['longitude'] == pytest.approx(-6.89069, abs=1e-5)
    assert info['day_of_year'] == 168
    assert read_metadata(next(root.rglob('*_labels_metadata.json')))['labels']
    loaded = LoadBandFiles(size=120)(info)
    assert loaded['img'].mean((0, 1)) == pytest.approx([563.648, 831.474, 422.463], abs=1e-3)
    scaled = ScaleMeanStd(stats='bigearthnet', out='float32')(loaded)['img']
    assert scaled.mean((0, 1)) == pytest.approx([0.48937, 0.59118, 0.49657], abs=1e-4)
    normalised = ((scaled.mean((0, 1)) - 0.5) / 0.25).tolist()
    assert normalised == pytest.approx([-0.04252, 0.36470, -0.01374], abs=4e-4)
