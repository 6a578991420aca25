"""Whole scenes: streaming equals one piece, the map keeps its place, memory does not grow."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from rsmm.apis.scene import predict_scene, scaled, scene_scale
from rsmm.errors import DataError
from rsmm.geo.io import write_raster
from rsmm.geo.streaming import read_stacked, stream_windows
from rsmm.geo.windows import predict_windows, sliding_windows
from rsmm.registry import MODELS, TRANSFORMS

PLACE = {'crs': 'EPSG:32631', 'transform': (10.0, 0.0, 5000.0, 0.0, -10.0, 9000.0)}


def uneven(tiles: np.ndarray) -> np.ndarray:
    """Values that depend on the place inside the tile, so that blending shows."""
    ramp = np.arange(tiles.shape[1])[:, None] + 3 * np.arange(tiles.shape[2])
    return tiles[..., :2] * (1 + 0.01 * ramp[..., None])


@pytest.mark.parametrize('shape', [(50, 70), (64, 64), (20, 90), (33, 20)])
@pytest.mark.parametrize(('tile', 'step'), [(32, 32), (32, 20), (32, 5)])
@pytest.mark.parametrize('merge', ['mean', 'linear'])
def test_streaming_equals_one_mosaic(shape, tile: int, step: int, merge: str) -> None:
    image = np.random.default_rng(0).normal(size=(*shape, 3)).astype(np.float32)
    settings = dict(tile=tile, step=step, batch_size=3, merge=merge)
    expected = predict_windows(image, shape, uneven, **settings)
    row, parts = 0, []
    for first, rows in stream_windows(lambda w: image[w.slices], shape, uneven, **settings):
        assert first == row
        row += len(rows)
        parts.append(rows)
    np.testing.assert_allclose(np.concatenate(parts), expected, rtol=1e-5, atol=1e-5)


def test_streaming_memory_follows_the_width_not_the_area() -> None:
    def peak(height: int) -> int:
        rows = stream_windows(
            lambda w: np.zeros((w.height, w.width, 1), np.float32),
            (height, 256),
            lambda tiles: tiles,
            tile=64,
            step=48,
        )
        tracemalloc.start()
        for _ in rows:
            pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(256)
    assert peak(4096) < 1.3 * peak(512)


def change_model():
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type='ChangeDetector',
            multiple=16,
            backbone=dict(type='FCEncoder'),
            decode_head=dict(type='FCDecoder', in_channels='auto'),
            loss=dict(type='ChangeLoss', terms=dict(bce=1.0)),
            data_preprocessor=dict(type='MultiSpectralPreprocessor', bands='rgb', scale=255.0),
        )
    ).eval()


def test_change_map_keeps_its_place(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    paths = [tmp_path / name for name in ('before.tif', 'after.tif')]
    images = rng.integers(0, 256, (2, 60, 44, 3), dtype=np.uint8)
    for path, image in zip(paths, images, strict=True):
        write_raster(path, image, **PLACE)
    model = change_model()
    predict_scene(model, paths, tmp_path / 'map.tif', tile=64)
    pair = [torch.from_numpy(image).permute(2, 0, 1)[None] for image in images]
    data = model.data_preprocessor({'inputs': pair})
    with torch.no_grad():
        expected = model.decide(model.logits(data['inputs']))[0].numpy()
    with rasterio.open(tmp_path / 'map.tif') as found:
        np.testing.assert_array_equal(found.read(1), expected)
        assert found.crs.to_epsg() == 32631
        assert tuple(found.transform)[:6] == PLACE['transform']
        assert found.dtypes == ('uint8',)


def test_dates_on_other_grids_are_refused(tmp_path: Path) -> None:
    for name, size in (('a.tif', 40), ('b.tif', 41)):
        write_raster(tmp_path / name, np.zeros((size, 40, 3), np.uint8), **PLACE)
    with pytest.raises(DataError, match=r'b.tif: differs in size'):
        predict_scene(change_model(), [tmp_path / 'a.tif', tmp_path / 'b.tif'], tmp_path / 'm.tif')
    assert not (tmp_path / 'm.tif').exists()


def test_scenes_are_stretched_by_their_own_limits(tmp_path: Path) -> None:
    """Tiles get the limits of the whole scene, as in training; each date its own."""
    rng = np.random.default_rng(0)
    first = rng.integers(100, 1000, (40, 60, 3)).astype(np.uint16)
    first[:10] = 0  # no data, which sets no limit
    second = first * np.uint16(3)
    paths = [tmp_path / 'a.tif', tmp_path / 'b.tif']
    for path, image in zip(paths, (first, second), strict=True):
        write_raster(path, image, **PLACE)
    scale = dict(type='ScaleQuantile', out='uint8')
    read, shape, _ = read_stacked(paths)
    window = sliding_windows(shape, 16, 16)[-1]
    found = scaled(read, paths, scale, None)(window)
    step = TRANSFORMS.build(scale)
    for date, image in enumerate((first, second)):
        expected = step({'img': image, 'nodata': 0.0})['img'][window.slices]
        np.testing.assert_array_equal(found[:, :, date], expected)
    one = scaled(read_stacked(paths[:1])[0], paths[:1], scale, None)(window)
    np.testing.assert_array_equal(one, found[:, :, 0])


def test_the_scale_of_a_config(repo_root: Path) -> None:
    config = repo_root / 'configs/oscd/small-data_fc-siam-diff_60e_oscd-rgb.py'
    assert scene_scale(str(config)) == {'type': 'ScaleQuantile', 'out': 'uint8'}
    assert scene_scale(str(repo_root / 'configs/gid/unet_resnet18_100e_gid5.py')) is None
