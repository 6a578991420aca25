"""Statistics of a whole data set equal those of all its pixels at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rsmm.datasets.statistics import RunningStats, dataset_stats, write_stats
from rsmm.errors import ConfigError, DataError, DataNotFoundError
from rsmm.geo.io import write_raster
from rsmm.models.data_preprocessors.multispectral import MultiSpectralPreprocessor
from rsmm.sensors import read_stats
from tests.datasets.test_own_folders import BANDS, image, label

READ = [dict(type='LoadRaster')]


def settings(root: Path, **more) -> dict:
    return dict(
        type='MapFolder', data_root=str(root), bands=BANDS, num_classes=3, pipeline=READ, **more
    )


@pytest.mark.parametrize('offset', [0.0, 1e6])
@pytest.mark.parametrize('sizes', [(1, 1, 1), (5, 200, 3), (1000,)])
def test_any_order_of_blocks_gives_the_moments_of_all(offset: float, sizes: tuple) -> None:
    values = np.random.default_rng(0).normal(offset, 2, (sum(sizes), 3))
    stats = RunningStats()
    for part in np.split(values, np.cumsum(sizes)[:-1]):
        stats.add(part)
    np.testing.assert_allclose(stats.mean, values.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(stats.std, values.std(axis=0), rtol=1e-9)
    assert stats.count == len(values)


def test_missing_pixels_and_padding_do_not_count(tmp_path: Path) -> None:
    arrays = []
    for number in range(3):
        array = image(tmp_path / 'images' / f's{number}.tif', number)
        array[: number + 1, :7] = 0
        write_raster(tmp_path / 'images' / f's{number}.tif', array, bands=BANDS, nodata=0)
        label(tmp_path / 'labels' / f's{number}.tif', number)
        arrays.append(array[(array != 0).all(axis=2)])
    pixels = np.concatenate(arrays).astype(float)
    for tile in (None, 7):  # 7 does not divide the sides: tiles at the border are smaller
        found = dataset_stats(settings(tmp_path, tile=tile))
        np.testing.assert_allclose(found['mean'], pixels.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(found['std'], pixels.std(axis=0), rtol=1e-12)
        assert found['pixels'] == len(pixels)
        assert found['bands'] == list(BANDS)


def test_the_file_is_what_the_preprocessor_reads(tmp_path: Path) -> None:
    array = image(tmp_path / 'images/s.tif').astype(np.float32)
    label(tmp_path / 'labels/s.tif')
    path = tmp_path / 'new/stats.json'
    write_stats(dataset_stats(settings(tmp_path)), path)
    module = MultiSpectralPreprocessor(bands=['B08', 'B02'], stats=str(path))
    chosen = torch.from_numpy(array[..., [3, 0]].transpose(2, 0, 1))[None]
    values = module.normalise(chosen)[0].flatten(1)
    torch.testing.assert_close(values.mean(1), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(values.std(1, correction=0), torch.ones(2), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    'content', ['[]', '{', '{"bands": ["B02"], "mean": [1]}', '{"bands": ["B02"], "mean": [1], '
    '"std": [0]}', '{"bands": ["B02"], "mean": [1], "std": [2, 3]}'],
)  # fmt: skip
def test_files_that_are_no_statistics(content: str, tmp_path: Path) -> None:
    path = tmp_path / 'stats.json'
    path.write_text(content)
    with pytest.raises(DataError, match='stats.json'):
        read_stats(path)


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match='band_stats.py'):
        read_stats(tmp_path / 'absent.json')
    image(tmp_path / 'images/s.tif')
    label(tmp_path / 'labels/s.tif')
    with pytest.raises(ConfigError, match='found 0'):
        dataset_stats({**settings(tmp_path), 'pipeline': []})
