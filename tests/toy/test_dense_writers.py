"""ToyEarth as OSCD, GID and PASTIS: the layout is the published one, and the truth is in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from rsmm.datasets.classes import PALETTES
from rsmm.datasets.transforms.change_labels import read_change_map
from rsmm.datasets.transforms.labels import colours_to_index
from rsmm.registry import DATASETS
from rsmm.sensors import band_order
from rsmm.toy import get_writer


@pytest.fixture(scope='module')
def oscd(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp('oscd') / 'oscd'
    assert get_writer('oscd')(out, train=2, test=1, size=64)
    assert not get_writer('oscd')(out, train=2, test=1, size=64)
    return out


def test_oscd_sources_show_the_same(oscd: Path) -> None:
    images = {}
    for source in ('rect', 'native'):
        data = DATASETS.build(
            dict(
                type='OSCD',
                data_root=str(oscd),
                bands='ms',
                sources=(source,),
                pipeline=[dict(type='LoadPair')],
            )
        )
        assert len(data) == 2
        images[source] = data[0]['img'].astype(float)
    bands = band_order('oscd')
    fine = bands.index('B04')
    np.testing.assert_array_equal(images['rect'][..., fine], images['native'][..., fine])
    for band in ('B05', 'B01'):
        one, other = (images[source][..., bands.index(band)] for source in ('rect', 'native'))
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.9


def test_oscd_labels_and_lists(oscd: Path) -> None:
    prefix = 'Onera Satellite Change Detection dataset -'
    assert (oscd / f'{prefix} Images' / 'train.txt').read_text() == 'aguasclaras,bercy'
    folder = oscd / f'{prefix} Test Labels' / 'brasilia' / 'cm'
    mask = read_change_map(folder / 'cm.png')[0]
    np.testing.assert_array_equal(mask, read_change_map(folder / 'brasilia-cm.tif', '1/2')[0])
    assert 0.01 < mask.mean() < 0.6


def test_gid_has_all_classes_in_exact_colours(tmp_path: Path) -> None:
    get_writer('gid')(tmp_path / 'gid', scenes=6, size=96)
    seen = set()
    for path in sorted((tmp_path / 'gid' / 'label_5classes').iterdir()):
        with rasterio.open(path) as label:
            colours = label.read().transpose(1, 2, 0)
        seen |= set(np.unique(colours_to_index(colours, PALETTES['gid5'], path)).tolist())
        image = tmp_path / 'gid' / 'image_RGB' / path.name.replace('_label', '')
        with rasterio.open(image) as scene, rasterio.open(path) as label:
            assert scene.transform == label.transform
    assert {1, 2, 3, 5} <= seen


def test_pastis_series_and_metadata(tmp_path: Path) -> None:
    get_writer('pastis')(tmp_path / 'p', patches=5, dates=4, size=24)
    data = DATASETS.build(
        dict(
            type='PASTIS',
            data_root=str(tmp_path / 'p'),
            folds=(1, 2, 3, 4, 5),
            pipeline=[dict(type='LoadSeries'), dict(type='LoadSeriesLabel')],
        )
    )
    assert len(data) == 5
    classes = set()
    for k in range(5):
        sample = data[k]
        dates = sample['img'].shape[2]
        assert 4 <= dates <= 12
        assert sample['img'].dtype == np.int16
        assert list(sample['days']) == sorted(set(sample['days']))
        classes |= set(np.unique(sample['gt_seg_map']).tolist())
    assert len(classes - {0, 255}) >= 3
