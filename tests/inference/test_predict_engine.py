"""The engine: nothing changed by tiles, nothing lost by kill -9, memory that does not grow."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rsmm.errors import ConfigError
from rsmm.geo.io import write_raster
from rsmm.geo.streaming import stream_windows
from rsmm.inference import mapping
from tests.inference.killed import predict
from tests.inference.small_models import PLACE, ChipBrightness, inferencer

ROOT = Path(__file__).parents[2]


@given(
    height=st.integers(1, 90), width=st.integers(1, 90), tile=st.integers(1, 64),
    share=st.floats(0.05, 1), merge=st.sampled_from(['mean', 'linear']), batch=st.integers(1, 5),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_the_identity_gives_back_the_image(height, width, tile, share, merge, batch):
    """Strides from a twentieth of a tile: sums of thousands of float32 round by more than 1e-5."""
    image = np.random.default_rng(height * 97 + width).normal(size=(height, width, 2))
    image = image.astype(np.float32)
    stride = max(1, round(tile * share))
    rows = stream_windows(
        lambda w: image[w.slices], (height, width), lambda tiles: tiles,
        tile=tile, stride=stride, batch_size=batch, merge=merge,
    )  # fmt: skip
    found = np.concatenate([values for _, values in rows])
    np.testing.assert_allclose(found, image, rtol=1e-5, atol=1e-6)


INFER = {}


@given(
    height=st.integers(1, 50), width=st.integers(1, 50), tile=st.integers(1, 40),
    stride=st.integers(1, 40), tta=st.booleans(),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_a_model_of_single_pixels_maps_them_whatever_the_tiles(height, width, tile, stride, tta):
    infer = INFER.setdefault('one', inferencer())
    image = np.random.default_rng(height + 51 * width).integers(0, 255, (height, width, 3))
    image = image.astype(np.uint8)
    found = infer(image, tile=tile, stride=min(stride, tile), tta=tta)['predictions'][0]
    values = np.sort(image, axis=2)
    clear = values[..., 2] > values[..., 1]  # equal bands: rounding decides
    np.testing.assert_array_equal(found['labels'][clear], image.argmax(axis=2)[clear])


@pytest.fixture(scope='module')
def scenes(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('scenes')
    for k in range(3):
        image = np.random.default_rng(k).integers(0, 255, (70, 60, 3)).astype(np.uint8)
        write_raster(folder / f'{k}.tif', image, **PLACE)
    return folder


def test_killed_at_ten_moments_and_continued(scenes, tmp_path):
    predict(scenes, tmp_path / 'whole')
    # Forked from a process that has run nothing yet: threads do not survive a fork.
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['tests.inference.killed'])
    killed = 0
    for moment in (25, 1, 2, 3, 5, 6, 7, 8, 10, 11):
        child = context.Process(target=predict, args=(scenes, tmp_path / 'out', moment))
        child.start()
        child.join(120)
        killed += child.exitcode == -signal.SIGKILL
        for path in (tmp_path / 'out').glob('*_map.tif'):  # what has its name is whole
            assert path.read_bytes() == (tmp_path / 'whole' / path.name).read_bytes()
    assert killed == 10
    predict(scenes, tmp_path / 'out')
    assert not list((tmp_path / 'out').glob('.rsmm-*'))
    names = sorted(path.name for path in (tmp_path / 'whole').iterdir())
    assert names == sorted(path.name for path in (tmp_path / 'out').iterdir())
    for name in names:
        if name.endswith(('.tif', '.csv', '.xml', '.html')):
            ours, theirs = (tmp_path / folder / name for folder in ('out', 'whole'))
            assert ours.read_bytes() == theirs.read_bytes(), name


def test_a_device_without_memory_gets_smaller_batches():
    seen = []

    def predict(tiles):
        seen.append(len(tiles))
        if len(tiles) > 2:
            raise torch.OutOfMemoryError('CUDA out of memory')
        return tiles + 1

    careful = mapping.halving(predict)
    tiles = np.arange(7.0).reshape(7, 1, 1, 1)
    np.testing.assert_array_equal(careful(tiles), tiles + 1)
    np.testing.assert_array_equal(careful(tiles), tiles + 1)
    assert seen == [7, 4, 2, 2, 2, 1, 2, 2, 2, 1]  # the second call knows

    def never(tiles):
        raise torch.OutOfMemoryError('CUDA out of memory')

    with pytest.raises(ConfigError, match='no memory for a tile of 1 pixels.*--tile'):
        mapping.halving(never)(tiles)


_MEASURE = """
import resource, sys
import numpy as np, rasterio
from tests.inference.small_models import Brightest, inferencer
height = int(sys.argv[2])
profile = dict(driver='GTiff', width=1024, height=height, count=3, dtype='uint8', tiled=True,
               blockxsize=256, blockysize=256)
with rasterio.open(sys.argv[1], 'w', **profile) as target:
    for row in range(0, height, 256):
        block = np.random.default_rng(row).integers(0, 255, (3, 256, 1024)).astype('uint8')
        target.write(block, window=((row, row + 256), (0, 1024)))
infer = inferencer()
infer(sys.argv[1], out=sys.argv[1] + '.out', tile=256, batch_size=2)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_follow_the_height(tmp_path):
    def peak(height: int) -> float:
        command = [sys.executable, '-c', _MEASURE, str(tmp_path / f'{height}.tif'), str(height)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
        return int(done.stdout.split()[-1]) / 1024

    small, large = peak(4096), peak(32768)
    # 256 million values more are read and 32 million written.
    assert large < small + 40


def test_chips_of_a_scene_smaller_than_one(tmp_path):
    image = np.full((20, 30, 3), 240, np.uint8)
    (one,) = inferencer(ChipBrightness)(image)['predictions']
    assert (one['labels'] == 2).all()


@pytest.mark.parametrize('dtype', ['uint8', 'uint16', 'int16', 'uint32', 'float32'])
def test_views_of_any_type_are_undone(dtype):
    image = np.random.default_rng(0).integers(0, 250, (33, 47, 3)).astype(dtype)
    infer = inferencer()
    labels = [
        infer(image, tile=32, stride=20, tta=tta)['predictions'][0]['labels'] for tta in (0, 1)
    ]
    np.testing.assert_array_equal(*labels)
    if dtype == 'uint8':
        from rsmm.models.layers.symmetry import symmetry

        planes = torch.from_numpy(image.transpose(2, 0, 1).copy())
        for code in range(mapping.VIEWS):
            turned = mapping._turned(image[None], code)
            np.testing.assert_array_equal(
                turned[0].transpose(2, 0, 1), symmetry(planes, code).numpy()
            )
            np.testing.assert_array_equal(mapping._turned_back(turned, code)[0], image)
