"""BigEarthNet's labels, reader and average precision."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio

from rsmm.datasets.bigearthnet import BigEarthNet, group_43_to_19, label_indices
from rsmm.datasets.classes import CLASSES
from rsmm.datasets.transforms.scaling import ScaleMeanStd
from rsmm.datasets.transforms.scenes import LoadBandFiles
from rsmm.errors import DataError
from rsmm.evaluation.functional.multilabel import multilabel_average_precision
from rsmm.geo.io import write_raster
from rsmm.sensors import SENTINEL2, band_order, band_stats


def write_patch(root: Path, name: str, labels: list[str]) -> None:
    (root / name).mkdir(parents=True)
    for band in band_order('bigearthnet'):
        pixels = round(1200 / SENTINEL2[band].gsd)
        with rasterio.open(
            root / name / f'{name}_{band}.tif', 'w', driver='GTiff', height=pixels, width=pixels,
            count=1, dtype='uint16', crs='EPSG:32629',
            transform=rasterio.Affine(10, 0, 5e5, 0, -10, 5e6),
        ) as file:  # fmt: skip
            file.write(np.full((1, pixels, pixels), 1000, np.uint16))
    (root / name / f'{name}_labels_metadata.json').write_text(json.dumps({'labels': labels}))


@pytest.fixture
def root(tmp_path) -> Path:
    write_patch(tmp_path, 'S2A_1_2', ['Pastures', 'Vineyards', 'Olive groves', 'Airports'])
    write_patch(tmp_path, 'S2A_1_3', ['Airports'])
    write_patch(tmp_path, 'S2A_1_4', ['Sea and ocean', 'Coastal lagoons'])
    return tmp_path


def test_grouping() -> None:
    groups = group_43_to_19()
    assert len(groups) == 32  # 11 of the 43 are dropped
    assert set(groups.values()) == set(range(19))
    assert set(groups) <= set(CLASSES['bigearthnet-43'])
    assert label_indices(['Water bodies', 'Water courses'], 19) == [17]
    assert label_indices(['Continuous urban fabric', 'Sea and ocean'], 43) == [0, 42]
    assert label_indices(['Airports'], 19) == []
    for spelling in ('Transitional woodland/shrub', 'Transitional woodland, shrub'):
        assert label_indices([spelling], 19) == [13]
        assert label_indices([spelling], 43) == [28]
    with pytest.raises(DataError, match="Did you mean 'Pastures'"):
        label_indices(['Pasture'], 19)


def test_reads_the_published_layout(root) -> None:
    data = BigEarthNet(str(root), num_classes=19)
    assert [data.get_data_info(i)['gt_label'] for i in range(len(data))] == [[3, 4], [18]]
    assert len(BigEarthNet(str(root), num_classes=43)) == 3
    image = LoadBandFiles(size=120)(data.get_data_info(0))['img']
    assert image.shape == (120, 120, 3)
    assert image.dtype == np.uint16


def test_reads_radar_patches_in_decibels(tmp_path: Path) -> None:
    """BigEarthNet-S1: float32 as stored, and normalised by the published figures."""
    name = 'S1A_IW_GRDH_1SDV_20170613T165043_33UUP_61_39'
    (tmp_path / name).mkdir()
    rng = np.random.default_rng(0)
    stored = {}
    for band, mean, std in (('VH', -19.29, 5.46), ('VV', -12.62, 5.12)):
        stored[band] = rng.normal(mean, std, (120, 120)).astype(np.float32)
        stored[band][0, 0] = 0.0  # an echo, not a missing pixel
        write_raster(tmp_path / name / f'{name}_{band}.tif', stored[band])
    labels = {'labels': ['Pastures'], 'corresponding_s2_patch': 'S2A_1_2'}
    (tmp_path / name / f'{name}_labels_metadata.json').write_text(json.dumps(labels))
    data = BigEarthNet(str(tmp_path), bands='bigearthnet-s1')
    results = LoadBandFiles(size=120)(data.get_data_info(0))
    assert results['bands'] == ('VV', 'VH')
    assert results['gt_label'] == [4]
    assert results['img'].dtype == np.float32
    for k, band in enumerate(('VV', 'VH')):
        np.testing.assert_array_equal(results['img'][..., k], stored[band])
    mean, std = band_stats('bigearthnet-s1', results['bands'])
    normal = (results['img'] - np.float32(mean)) / np.float32(std)
    assert np.abs(normal.mean(axis=(0, 1))).max() < 0.05
    assert np.abs(normal.std(axis=(0, 1)) - 1).max() < 0.05
    with pytest.raises(DataError, match='B04'):
        LoadBandFiles(size=120)(BigEarthNet(str(tmp_path), bands=['B04']).get_data_info(0))


def test_stretch_of_the_protocol(root) -> None:
    results = LoadBandFiles(size=120)(BigEarthNet(str(root)).get_data_info(0))
    stretched = ScaleMeanStd(stats='bigearthnet')(results)['img']
    assert stretched[0, 0].tolist() == [166, 169, 190]


def test_lists_and_fractions(root) -> None:
    (root / 'snow.csv').write_text('S2A_1_4\n')
    data = BigEarthNet(str(root), num_classes=43, exclude_files=[str(root / 'snow.csv')])
    assert len(data) == 2
    assert len(BigEarthNet(str(root), num_classes=43, fraction=0.34)) == 1
    (root / 'train.csv').write_text('S2A_1_2\nS2A_1_2\n')
    with pytest.raises(DataError, match='S2A_1_2 stands in the list twice'):
        BigEarthNet(str(root), split_file=str(root / 'train.csv'))
    (root / 'train.csv').write_text('S2A_9_9\n')
    with pytest.raises(DataError, match=r'S2A_9_9.*no such patch'):
        BigEarthNet(str(root), split_file=str(root / 'train.csv'))


def approx(value: float):
    return pytest.approx(value, abs=1e-6)


def test_average_precision_golden() -> None:
    labels = np.array([[1, 0, 1], [0, 1, 0]])
    scores = np.array([[0.9, 0.8, 0.3], [0.2, 0.7, 0.1]])
    assert multilabel_average_precision(labels, scores, 'micro') == pytest.approx(
        0.805556, abs=1e-6
    )
    assert multilabel_average_precision(labels, scores, 'macro') == pytest.approx(
        0.833333, abs=1e-6
    )


def test_macro_leaves_out_classes_that_do_not_occur() -> None:
    labels = np.array([[1, 0], [0, 0]])
    scores = np.array([[0.9, 0.8], [0.2, 0.7]])
    assert multilabel_average_precision(labels, scores, 'macro') == 1
    with pytest.raises(DataError, match='no class occurs'):
        multilabel_average_precision(labels * 0, scores)


@pytest.mark.realdata
def test_genuine_patch(real_data) -> None:
    data = BigEarthNet(str(real_data / 'bigearthnet_patch' / 'tiny_s2'), bands='bigearthnet')
    info = data.get_data_info(0)
    assert info['gt_label'], 'the patch has labels'
    image = LoadBandFiles(size=120)(info)['img']
    assert image.shape == (120, 120, 12)
    assert image.dtype == np.uint16
    assert 0 < image.mean() < 5000
