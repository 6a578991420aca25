"""PASTIS: metadata in both forms, dates, folds, normalisation, broken files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from rsmm.datasets.transforms.series import pad_series
from rsmm.errors import ConfigError, DataError, DataNotFoundError
from rsmm.registry import DATASETS

DAYS = {'0': 20180924, '1': 20181004, '2': 20190101}
SERIES = [dict(type='LoadSeries'), dict(type='LoadSeriesLabel'), dict(type='PackMap')]


def make_pastis(root: Path, dates=DAYS, text: bool = False, label: int = 3) -> Path:
    features = []
    rng = np.random.default_rng(0)
    for folder in ('DATA_S2', 'ANNOTATIONS'):
        (root / folder).mkdir(parents=True)
    for fold in range(1, 6):
        number = 10000 + fold
        shown = json.dumps(dates) if text else dates
        features.append(
            {'properties': {'ID_PATCH': number, 'Fold': fold, 'dates-S2': shown}, 'geometry': None}
        )
        series = rng.integers(0, 3000, (len(DAYS), 10, 16, 16), dtype=np.int16)
        series[:, :, 0, 0] = np.arange(10) + 100 * np.arange(len(DAYS))[:, None]
        series[:, :, 0, 1] = -5
        np.save(root / 'DATA_S2' / f'S2_{number}.npy', series)
        target = np.full((3, 16, 16), label, np.int16)
        target[0, :2], target[0, 2:4] = 19, 0
        np.save(root / 'ANNOTATIONS' / f'TARGET_{number}.npy', target)
    (root / 'metadata.geojson').write_text(json.dumps({'features': features}))
    norm = {f'Fold_{k}': {'mean': [100.0 * k] * 10, 'std': [10.0 * k] * 10} for k in range(1, 6)}
    (root / 'NORM_S2_patch.json').write_text(json.dumps(norm))
    return root


def pastis(root: Path, pipeline=SERIES, **settings):
    return DATASETS.build(dict(type='PASTIS', data_root=str(root), pipeline=pipeline, **settings))


@pytest.mark.parametrize('text', [False, True])
def test_series_dates_and_labels(tmp_path: Path, text: bool) -> None:
    data = pastis(make_pastis(tmp_path, text=text), bands=['B04', 'B8A'])
    assert len(data) == 3
    sample = data[0]
    assert sample['inputs'].shape == (3, 2, 16, 16)
    assert sample['inputs'].dtype == torch.int16
    # B04 is the third and B8A the eighth of ten bands.
    assert sample['inputs'][:, :, 0, 0].tolist() == [[2, 7], [102, 107], [202, 207]]
    assert sample['data_samples'].days == (23, 33, 122)
    label = sample['data_samples'].gt_sem_seg.data[0]
    assert (label[:2] == 255).all()
    assert (label[2:4] == 0).all()
    assert (label[4:] == 3).all()


def test_void_and_background_settings(tmp_path: Path) -> None:
    make_pastis(tmp_path)
    kept = pastis(tmp_path, ignore_void=False)[0]['data_samples'].gt_sem_seg.data[0]
    assert (kept[:2] == 19).all()
    crops = pastis(tmp_path, ignore_background=True)[0]['data_samples'].gt_sem_seg.data[0]
    assert (crops[:4] == 255).all()


def test_single_and_random_dates(tmp_path: Path) -> None:
    make_pastis(tmp_path)
    single = [dict(type='LoadSeries', dates='single', date='2018-10-01'), *SERIES[1:]]
    image = pastis(tmp_path, single)[0]['inputs']
    assert image.shape == (10, 16, 16)
    assert image[0, 0, 0] == 100
    np.random.seed(0)
    chance = pastis(tmp_path, [dict(type='LoadSeries', dates='random'), *SERIES[1:]])
    seen = {int(chance[0]['inputs'][0, 0, 0]) for _ in range(30)}
    assert seen == {0, 100, 200}
    subset = pastis(tmp_path, [dict(type='LoadSeries', max_dates=2), *SERIES[1:]])[0]
    days = subset['data_samples'].days
    assert len(days) == 2
    assert list(days) == sorted(days)
    with pytest.raises(ConfigError, match='needs date'):
        pastis(tmp_path, [dict(type='LoadSeries', dates='single')])


def test_normalisation_uses_training_folds_everywhere(tmp_path: Path) -> None:
    make_pastis(tmp_path)
    steps = [SERIES[0], dict(type='NormalizeSeries'), *SERIES[1:]]
    for folds in ((1,), (5,)):
        raw = pastis(tmp_path, folds=folds)[0]['inputs'].float()
        found = pastis(tmp_path, steps, folds=folds)[0]['inputs']
        torch.testing.assert_close(found, (raw - 200) / 20)


def test_geometry_turns_series_and_label_together(tmp_path: Path) -> None:
    make_pastis(tmp_path)
    np.random.seed(1)
    steps = [*SERIES[:2], dict(type='RandomDihedral'), SERIES[2]]
    data = pastis(tmp_path, steps)
    for _ in range(6):
        sample = data[0]
        row, column = np.argwhere(sample['inputs'][0, 0].numpy() == -5)[0]
        assert sample['data_samples'].gt_sem_seg.data[0, row, column] == 255


def test_a_series_with_one_date(tmp_path: Path) -> None:
    make_pastis(tmp_path, dates={'0': 20180924})
    path = tmp_path / 'DATA_S2' / 'S2_10001.npy'
    np.save(path, np.load(path)[:1])
    assert pastis(tmp_path, folds=[1])[0]['inputs'].shape[0] == 1


def test_duplicate_dates(tmp_path: Path) -> None:
    make_pastis(tmp_path, dates={**DAYS, '1': 20180924})
    with pytest.raises(DataError, match=r'S2_10001.npy: has 2 images of 2018-09-24'):
        pastis(tmp_path)[0]
    steps = [dict(type='LoadSeries', drop_duplicates=True), *SERIES[1:]]
    assert pastis(tmp_path, steps)[0]['data_samples'].days == (23, 122)


@pytest.mark.parametrize(
    ('dates', 'message'),
    [
        ('{"0": 2018', r'patch 10001: dates-S2 is a text but no JSON'),
        ([20180924], r'dates-S2 is a list'),
        ({'0': 'soon'}, r"'0': 'soon', expected a position and YYYYMMDD"),
        ({'0': 20181399}, r"'0': 20181399"),
        ({'0': float('inf')}, r"'0': inf, expected a position and YYYYMMDD"),
        ({'²': 20180924}, r"'²': 20180924, expected a position"),
        ({}, r'dates-S2 is a dict'),
    ],
)
def test_bad_dates(tmp_path: Path, dates, message: str) -> None:
    make_pastis(tmp_path, dates=dates)
    with pytest.raises(DataError, match=message):
        len(pastis(tmp_path))


@pytest.mark.parametrize(
    ('properties', 'message'),
    [
        ('{"ID_PATCH": 10001}', r'feature 1: properties is a str .* expected a dict'),
        (None, r'feature 1: properties is a NoneType'),
        ({'ID_PATCH': 'abc', 'Fold': 1, 'dates-S2': DAYS}, r'patch abc: ID_PATCH is no number'),
        ({'ID_PATCH': 10001, 'Fold': 5, 'dates-S2': DAYS}, r'patch 10001: occurs twice'),
        ({'ID_PATCH': 1, 'Fold': 6, 'dates-S2': DAYS}, r'patch 1: Fold is 6'),
        ({'ID_PATCH': 1, 'Fold': 1}, r'feature 1: has no property dates-S2'),
    ],
)
def test_bad_properties(tmp_path: Path, properties, message: str) -> None:
    path = make_pastis(tmp_path) / 'metadata.geojson'
    features = json.loads(path.read_text())['features']
    features[1]['properties'] = properties
    path.write_text(json.dumps({'features': features}))
    with pytest.raises(DataError, match=rf'metadata.geojson: {message}'):
        len(pastis(tmp_path))


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        ('{"mean": [1]}', 'Fold_2 is .* expected a dict of mean and std'),
        ({'mean': [1.0] * 10}, 'Fold_2 is .* expected a dict of mean and std'),
        ({'mean': [1.0] * 9, 'std': [1.0] * 10}, 'Fold_2 mean: expected 10 numbers, found 9'),
        ({'mean': ['x'] * 10, 'std': [1.0] * 10}, 'Fold_2 mean: is .* expected numbers'),
        ({'mean': 1.0, 'std': 1.0}, 'Fold_2 mean: expected 10 numbers'),
        ({'mean': [1.0] * 10, 'std': [0.0] * 10}, 'has a std of 0, expected more than 0'),
        (None, 'has no Fold_2'),
    ],
)
def test_bad_normalisation(tmp_path: Path, entry, message: str) -> None:
    path = make_pastis(tmp_path) / 'NORM_S2_patch.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | {'Fold_2': entry}))
    with pytest.raises(DataError, match=rf'NORM_S2_patch.json: {message}'):
        len(pastis(tmp_path))


def test_series_of_other_numbers(tmp_path: Path) -> None:
    make_pastis(tmp_path)
    path = tmp_path / 'DATA_S2' / 'S2_10001.npy'
    steps = [SERIES[0], dict(type='NormalizeSeries'), *SERIES[1:]]
    series = np.load(path)
    expected = pastis(tmp_path, steps)[0]['inputs']
    np.save(path, series.astype(np.float64))
    torch.testing.assert_close(pastis(tmp_path, steps)[0]['inputs'], expected)
    np.save(path, np.where(series == -5, np.nan, series))
    with pytest.raises(DataError, match=r'S2_10001.npy: 30 of 7680 values are NaN'):
        pastis(tmp_path)[0]
    np.save(path, series[:0])
    with pytest.raises(DataError, match=r'S2_10001.npy: expected 4 axes with values'):
        pastis(tmp_path)[0]


def test_settings_of_a_series(tmp_path: Path) -> None:
    make_pastis(tmp_path)
    assert len(pastis(tmp_path, folds=4)) == 1
    for settings in ({'dates': 'single', 'date': '2018-13-01'}, {'max_dates': 0}):
        with pytest.raises(ConfigError, match='LoadSeries'):
            pastis(tmp_path, [dict(type='LoadSeries', **settings)])


def test_bad_folds_labels_and_files(tmp_path: Path) -> None:
    make_pastis(tmp_path, label=20)
    with pytest.raises(ConfigError, match='no fold 6'):
        pastis(tmp_path, folds=[6])
    with pytest.raises(DataError, match=r'TARGET_10001.npy: label 20 at row 4'):
        pastis(tmp_path)[0]
    path = tmp_path / 'DATA_S2' / 'S2_10001.npy'
    np.save(path, np.load(path)[:2])
    with pytest.raises(DataError, match='holds 2 dates, the metadata 3'):
        pastis(tmp_path)[0]
    np.save(path, np.array([{}], object), allow_pickle=True)
    with pytest.raises(DataError, match='cannot be read'):
        pastis(tmp_path)[0]
    path.unlink()
    with pytest.raises(DataNotFoundError, match='patch 10001'):
        len(pastis(tmp_path))


def test_a_label_larger_than_the_images(tmp_path: Path) -> None:
    make_pastis(tmp_path)
    np.save(tmp_path / 'ANNOTATIONS' / 'TARGET_10001.npy', np.zeros((3, 20, 16), np.int16))
    with pytest.raises(DataError, match=r'TARGET_10001.npy: .*20x16 pixels'):
        pastis(tmp_path)[0]


def test_padding_to_the_longest_series() -> None:
    series = [torch.ones(2, 3, 4, 4), torch.ones(5, 3, 4, 4)]
    stacked, days, valid = pad_series(series, [(1, 9), (0, 1, 2, 3, 4)])
    assert stacked.shape == (2, 5, 3, 4, 4)
    assert days[0].tolist() == [1, 9, 0, 0, 0]
    assert valid.sum(1).tolist() == [2, 5]
    assert not stacked[0, 2:].any()
