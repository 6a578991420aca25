"""Whole scenes: streaming equals one piece, the map keeps its place, memory does not grow."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from rsmm.errors import ConfigError, DataError
from rsmm.geo import streaming
from rsmm.geo.io import write_raster
from rsmm.geo.streaming import read_stacked, stream_windows
from rsmm.geo.windows import predict_windows, sliding_windows
from rsmm.inference.scene import predict_scene, scene_scale
from rsmm.inference.thumbnails import scaled
from rsmm.models.segmentors.raster_segmentor import RasterSegmentor
from rsmm.registry import MODELS, TRANSFORMS

PLACE = {'crs': 'EPSG:32631', 'transform': (10.0, 0.0, 5000.0, 0.0, -10.0, 9000.0)}
MOVED = {'crs': 'EPSG:32631', 'transform': (10.0, 0.0, 5020.0, 0.0, -10.0, 9000.0)}


def uneven(tiles: np.ndarray) -> np.ndarray:
    """Values that depend on the place inside the tile, so that blending shows."""
    ramp = np.arange(tiles.shape[1])[:, None] + 3 * np.arange(tiles.shape[2])
    return tiles[..., :2] * (1 + 0.01 * ramp[..., None])


@pytest.mark.parametrize('shape', [(50, 70), (64, 64), (20, 90), (33, 20)])
@pytest.mark.parametrize(('tile', 'stride'), [(32, 32), (32, 20), (32, 5)])
@pytest.mark.parametrize('merge', ['mean', 'linear'])
def test_streaming_equals_one_mosaic(
    shape, tile: int, stride: int, merge: str, monkeypatch
) -> None:
    monkeypatch.setattr(streaming, 'ROWS', 7)  # so that it does not divide what is final
    image = np.random.default_rng(0).normal(size=(*shape, 3)).astype(np.float32)
    settings = dict(tile=tile, stride=stride, batch_size=3, merge=merge)
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
            stride=48,
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
    write_raster(tmp_path / 'b.tif', np.zeros((40, 40, 3), np.uint8), **MOVED)
    with pytest.raises(DataError, match=r'b.tif: lies 2 pixels away from .*a.tif'):
        predict_scene(change_model(), [tmp_path / 'a.tif', tmp_path / 'b.tif'], tmp_path / 'm.tif')


def test_one_or_two_images(tmp_path: Path) -> None:
    write_raster(tmp_path / 'a.tif', np.zeros((40, 40, 3), np.uint8), **PLACE)
    with pytest.raises(ConfigError, match='1 images, but ChangeDetector takes 2'):
        predict_scene(change_model(), tmp_path / 'a.tif', tmp_path / 'm.tif')
    with pytest.raises(ConfigError, match='2 images, but RasterSegmentor takes 1'):
        predict_scene(colour_model(), [tmp_path / 'a.tif'] * 2, tmp_path / 'm.tif')


class Brightest(torch.nn.Module):
    """The class of a pixel is the band that is brightest there."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        return (x,)


def colour_model(**settings):
    model = RasterSegmentor(
        backbone=dict(type='FCEncoder'),
        decode_head=dict(type='OutputHead', in_channels=3, num_classes=3),
        loss=dict(type='SegLoss'),
        data_preprocessor=dict(type='MultiSpectralPreprocessor', bands='s2-rgb', **settings),
    )
    model.backbone = Brightest()
    model.decode_head = torch.nn.ModuleList()
    model.decode_head.forward = lambda features: features[0]
    return model.eval()


def class_map(tmp_path: Path, image: np.ndarray, bands=None, **settings) -> np.ndarray:
    """Predict an image (H, W, C) with :class:`Brightest`."""
    path = tmp_path / 'scene.tif'
    write_raster(path, image, bands=bands, nodata=settings.pop('nodata', None), **PLACE)
    known = settings.pop('without_tag', None)
    predict_scene(colour_model(), path, tmp_path / 'map.tif', tile=16, nodata=known, **settings)
    with rasterio.open(tmp_path / 'map.tif') as found:
        assert found.nodata == 255
        return found.read(1)


@pytest.mark.parametrize('scale', [None, dict(type='ScaleMeanStd', stats='oscd')])
def test_bands_are_found_by_name(tmp_path: Path, scale) -> None:
    image = np.random.default_rng(0).integers(1, 3000, (37, 21, 4)).astype(np.uint16)
    colours = image[..., [2, 1, 0]]
    expected = class_map(tmp_path, colours, scale=scale)
    if scale is None:
        np.testing.assert_array_equal(expected, colours.argmax(axis=2))
        camera = class_map(tmp_path, image[..., :3], ('B', 'G', 'R'))
        np.testing.assert_array_equal(camera, expected)
    names = ('B02', 'B03', 'B04', 'B08')
    for found in (
        class_map(tmp_path, image, names, scale=scale),
        class_map(tmp_path, image, scale=scale, bands=names),
    ):
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(DataError, match=r'scene.tif: expected 3 bands \(B04, B03, B02\), found 4'):
        class_map(tmp_path, image, scale=scale)
    with pytest.raises(DataError, match='band B04 not among B02, B03, B08'):
        class_map(tmp_path, image[..., :3], ('B02', 'B03', 'B08'), scale=scale)


@pytest.mark.parametrize('scale', [None, dict(type='ScaleQuantile', out='uint8')])
@pytest.mark.parametrize('dtype', ['uint16', 'uint8', 'float32'])
def test_places_without_data_stay_empty(tmp_path: Path, dtype: str, scale) -> None:
    image = np.random.default_rng(0).integers(1, 250, (90, 40, 3)).astype(dtype)
    image[:70, :20] = 0
    expected = np.where((image == 0).all(axis=2), 255, 0)
    if dtype == 'float32':
        image[80:82, 3, 1] = np.nan
        expected[80:82, 3] = 255
    untagged = dtype == 'uint16'
    known = {'without_tag': 0} if untagged else {'nodata': 0}
    found = class_map(tmp_path, image, scale=scale, **known)
    np.testing.assert_array_equal(found == 255, expected == 255)
    if untagged:  # zeros without a tag are values, unless the caller says so
        assert (class_map(tmp_path, image, scale=scale) != 255).all()
    if scale is None:
        assert (found == image.argmax(axis=2))[expected == 0].all()


@pytest.mark.parametrize('size', [(1, 1), (1, 37), (5, 3), (33, 65)])
def test_odd_sizes_and_rotated_grids(tmp_path: Path, size) -> None:
    image = np.random.default_rng(0).integers(1, 250, (*size, 3)).astype(np.uint8)
    place = {'crs': 'EPSG:32631', 'transform': (7.0, 3.0, 100.0, 2.0, -8.0, 50.0)}
    write_raster(tmp_path / 'scene.tif', image, **place)
    predict_scene(colour_model(), tmp_path / 'scene.tif', tmp_path / 'map.tif', tile=32)
    with rasterio.open(tmp_path / 'map.tif') as found:
        np.testing.assert_array_equal(found.read(1), image.argmax(axis=2))
        assert tuple(found.transform)[:6] == place['transform']


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
    found = scaled(read, paths, scale, nodata=0)(window)
    step = TRANSFORMS.build(scale)
    for date, image in enumerate((first, second)):
        expected = step({'img': image, 'nodata': 0.0})['img'][window.slices]
        np.testing.assert_array_equal(found[:, :, date], expected)
    one = scaled(read_stacked(paths[:1])[0], paths[:1], scale, nodata=0)(window)
    np.testing.assert_array_equal(one, found[:, :, 0])


def test_the_scale_of_a_config(repo_root: Path) -> None:
    config = repo_root / 'configs/oscd/small-data_ensemble_16e_oscd-rgb.py'
    assert scene_scale(str(config)) == {'type': 'ScaleQuantile', 'out': 'uint8'}
    assert scene_scale(str(repo_root / 'configs/gid/unet_resnet18_100e_gid5.py')) is None
