"""Change and segmentation: python benchmarks/dense.py [loading] [scene] [memory]

Measures side by side

- training samples a second of the OSCD and PASTIS pipelines against a bare loop that reads the same
  arrays from memory, cuts and flips them, and makes tensors,
- whole-scene inference in megapixels a second against mmseg's slide inference on the same model,
  after checking that both give the same map,
- the peak memory of a process that predicts scenes of growing side, file to file.

The fastest of several rounds is reported: other load only ever adds time.
"""

from __future__ import annotations

import argparse
import copy
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from record import record

from rsmm.apis.cli import guarded
from rsmm.geo.streaming import stream_windows
from rsmm.inference.mapping import tile_predictor
from rsmm.inference.scene import predict_scene
from rsmm.registry import DATASETS, MODELS
from rsmm.toy import get_writer

ROUNDS = 3
TILE, STEP = 512, 512
PARTS = ('loading', 'scene', 'memory')
# The last has the area of the second and the width of the first.
SIZES = ['2048x2048', '4096x4096', '8192x8192', '8192x2048']


def fastest(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return the seconds of the fastest round."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def loading(folder: Path) -> dict[str, float]:
    """Samples a second of two pipelines and of bare loops over the same data."""
    found = {}
    get_writer('oscd')(folder / 'oscd', train=3, test=1, size=200)
    pairs = DATASETS.build(
        dict(
            type='OSCD',
            data_root=str(folder / 'oscd'),
            tile=96,
            pipeline=[
                dict(type='LoadPair', scale=dict(type='ScaleQuantile', out='uint8')),
                dict(type='PadMap', size=96),
                dict(type='RandomDihedral'),
                dict(type='SwapDates'),
                dict(type='PackMap'),
            ],
        )
    )
    _ = [pairs[k] for k in range(len(pairs))]  # scenes are cached from here on
    found['oscd_samples_per_s'] = len(pairs) / fastest(
        lambda: [pairs[k] for k in range(len(pairs))]
    )
    scene = np.random.default_rng(0).integers(0, 256, (200, 200, 2, 3), dtype=np.uint8)
    label = scene[..., 0, 0] // 250
    found['oscd_bare_samples_per_s'] = 200 / fastest(lambda: _bare_pairs(scene, label, 200))
    get_writer('pastis')(folder / 'pastis', patches=5, dates=8, size=128)
    series = DATASETS.build(
        dict(
            type='PASTIS',
            data_root=str(folder / 'pastis'),
            folds=(1, 2, 3, 4, 5),
            norm_folds=(1, 2, 3, 4, 5),
            pipeline=[
                dict(type='LoadSeries'),
                dict(type='NormalizeSeries'),
                dict(type='LoadSeriesLabel'),
                dict(type='RandomDihedral'),
                dict(type='PackMap'),
            ],
        )
    )
    _ = len(series)
    found['pastis_samples_per_s'] = len(series) / fastest(
        lambda: [series[k] for k in range(len(series))]
    )
    files = [(info['series_path'], info['label_path']) for info in series.load_data_list()]
    found['pastis_bare_samples_per_s'] = len(files) / fastest(lambda: _bare_series(files))
    return found


def _bare_pairs(scene: np.ndarray, label: np.ndarray, count: int) -> list:
    batch = []
    for k in range(count):
        row, column = k % 100, (7 * k) % 100
        part = scene[row : row + 96, column : column + 96][:, ::-1].transpose(2, 3, 0, 1)
        target = label[row : row + 96, column : column + 96][:, ::-1].astype(np.int64)
        batch.append((torch.from_numpy(part.copy()), torch.from_numpy(target)))
    return batch


def _bare_series(files: list) -> list:
    batch = []
    for series, label in files:
        values = (np.load(series)[..., ::-1] - np.float32(1000)) / np.float32(500)
        target = np.load(label)[0, :, ::-1].astype(np.int64)
        batch.append((torch.from_numpy(values.copy()), torch.from_numpy(target)))
    return batch


def segmentor():
    """A light model, so that what surrounds it shows."""
    init_default_scope('mmseg')
    from mmseg.models import EncoderDecoder

    torch.manual_seed(0)
    model = EncoderDecoder(
        backbone=dict(type='mmpretrain.ResNet', depth=18, out_indices=(3,)),
        decode_head=dict(
            type='FCNHead', in_channels=512, in_index=0, channels=64, num_convs=1, num_classes=6
        ),
        data_preprocessor=dict(type='rsmm.MultiSpectralPreprocessor', scale=255.0),
        test_cfg=ConfigDict(mode='slide', crop_size=(TILE, TILE), stride=(STEP, STEP)),
    ).eval()
    return model


def _metas(images: torch.Tensor) -> list[dict]:
    return [{'ori_shape': images.shape[2:], 'img_shape': images.shape[2:]}] * len(images)


def scenes(side: int) -> dict[str, float]:
    """Megapixels a second of both ways on one scene."""
    model = segmentor()
    streamed = copy.deepcopy(model)  # predict_scene changes the layout of the weights
    streamed.logits = lambda images: streamed.encode_decode(images, _metas(images))
    predict = tile_predictor(streamed)
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)

    def stream() -> np.ndarray:
        rows = stream_windows(
            lambda window: image[window.slices], (side, side), predict,
            tile=TILE, stride=STEP, batch_size=4,
        )  # fmt: skip
        return np.concatenate([logits.argmax(axis=2) for _, logits in rows])

    def slide() -> np.ndarray:
        batch = torch.from_numpy(image).permute(2, 0, 1)[None]
        data = model.data_preprocessor({'inputs': batch})['inputs']
        with torch.inference_mode():
            return model.slide_inference(data, _metas(data))[0].argmax(dim=0).numpy()

    same = float((stream() == slide()).mean())
    megapixels = side * side / 1e6
    return {
        'equal_pixels': same,
        'stream_mpx_per_s': megapixels / fastest(stream),
        'mmseg_slide_mpx_per_s': megapixels / fastest(slide),
    }


def peak_memory(size: str) -> float:
    """Peak memory in MiB of a process that predicts a scene ``HxW``, file to file."""
    command = [sys.executable, __file__, '--predict', size]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def predict_file(size: str) -> None:
    """Write a scene, predict it and print the peak memory of this process in MiB.

    The network is light: what grows with the scene would be around it.
    """
    import resource

    model = MODELS.build(
        dict(
            type='RasterSegmentor',
            backbone=dict(type='mmpretrain.MobileNetV2', widen_factor=0.25, out_indices=(2,)),
            decode_head=dict(type='OutputHead', in_channels='auto', num_classes=6),
            loss=dict(type='SegLoss'),
            data_preprocessor=dict(type='MultiSpectralPreprocessor', scale=255.0),
        )
    ).eval()
    with tempfile.TemporaryDirectory() as folder:
        scene = Path(folder) / 'scene.tif'
        height, width = map(int, size.split('x'))
        write_scene(scene, height, width)
        predict_scene(model, [scene], Path(folder) / 'map.tif', tile=512, stride=512, batch_size=1)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def write_scene(path: Path, height: int, width: int) -> None:
    """Write a random scene block by block, so that making it needs no memory."""
    import rasterio

    profile = dict(driver='GTiff', dtype='uint8', count=3, height=height, width=width, tiled=True,
                   blockxsize=512, blockysize=512)  # fmt: skip
    rng = np.random.default_rng(0)
    with rasterio.open(path, 'w', **profile) as target:
        for row in range(0, height, 512):
            end = min(row + 512, height)
            values = rng.integers(0, 256, (3, end - row, width), dtype=np.uint8)
            target.write(values, window=((row, end), (0, width)))


def main() -> None:
    """Measure the parts asked for and store each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('parts', nargs='*', help=f'among {", ".join(PARTS)}; default all')
    parser.add_argument('--scene-sides', nargs='+', type=int, default=[2048, 4096])
    parser.add_argument('--memory-sizes', nargs='+', default=SIZES, metavar='HxW')
    parser.add_argument('--predict', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.predict:
        predict_file(args.predict)
        return
    for part in args.parts or PARTS:
        if part == 'loading':
            with tempfile.TemporaryDirectory() as folder:
                results: dict = loading(Path(folder))
        elif part == 'scene':
            results = {str(side): scenes(side) for side in args.scene_sides}
        else:
            results = {size: peak_memory(size) for size in args.memory_sizes}
        print(part, results)
        print(f'Stored in {record(f"dense_{part}", results)}')


if __name__ == '__main__':
    sys.exit(guarded(main))
