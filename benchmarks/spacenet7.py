"""Speed and memory of the SpaceNet 7 chain on one core and in one process.

    python benchmarks/spacenet7.py --label sn7_cube_label.gif --pred sn7_cube_pred.gif

Prints wall and CPU seconds and the ratio of the wall time to the target of each step, so that a
number below 1 is good. The best of ``--repeat`` runs counts; on a loaded machine trust the CPU
time. ``--scene`` times inference of the XD_XD U-Net as well.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import shapely

from rsmm.evaluation.functional import scot
from rsmm.geo import (
    make_cube,
    mask_to_polygons,
    predict_windows,
    read_mask_stack,
    track_footprints,
    track_masks,
)

GSD = 4.0  # metres on the ground
_TARGETS = {
    'polygonise 19 frames of 1024 x 1024': 7.0,
    'track, from polygons': 3.0,
    'track, from masks': 3.0,
    'SCOT, pixel outlines': 8.0,
    'SCOT, truth off the pixel grid': 8.0,
}


def best(function: Callable[[], object], repeat: int) -> tuple[tuple[float, float], object]:
    """Return the shortest wall and CPU time in seconds and the last result."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter(), time.process_time()
        result = function()
        times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return min(times), result


def report(name: str, seconds: tuple[float, float]) -> None:
    """Print one line."""
    target, (wall, cpu) = _TARGETS[name], seconds
    print(f'{name:40} {wall:7.2f} s (CPU {cpu:6.2f} s)  {wall / target:5.2f} of {target:g} s')


def cube_steps(label: Path, pred: Path, repeat: int) -> None:
    """Time polygons, tracks and SCOT of the real cube."""
    stacks = {'label': read_mask_stack(label), 'pred': read_mask_stack(pred)}
    frames = {}
    for name, stack in stacks.items():
        seconds, frames[name] = best(lambda s=stack: [mask_to_polygons(m, 0.5) for m in s], repeat)
    report('polygonise 19 frames of 1024 x 1024', seconds)
    seconds, _ = best(lambda: track_footprints(frames['pred']), repeat)
    report('track, from polygons', seconds)
    seconds, _ = best(lambda: track_masks(stacks['pred']), repeat)
    report('track, from masks', seconds)

    months = [f'{2018 + k // 12}_{k % 12 + 1:02d}' for k in range(len(stacks['label']))]
    cubes = {n: {'aoi': make_cube(months, f, track_footprints(f))} for n, f in frames.items()}
    seconds, _ = best(lambda: scot(cubes['label'], cubes['pred']), repeat)
    report('SCOT, pixel outlines', seconds)
    moved = {
        month: [(name, shape) for (name, _), shape in zip(rows, _shift(rows), strict=True)]
        for month, rows in cubes['label']['aoi'].items()
    }
    seconds, _ = best(lambda: scot({'aoi': moved}, cubes['pred']), repeat)
    report('SCOT, truth off the pixel grid', seconds)


def _shift(rows) -> np.ndarray:
    return shapely.transform([shape for _, shape in rows], lambda points: points + 0.3)


def dense_month() -> None:
    """Peak memory of SCOT with 5,000 buildings on each side."""
    rows, columns = np.divmod(np.arange(5000), 71)
    cubes = []
    for shift in (0.0, 0.4):
        x, y = columns * 10.0 + shift, rows * 10.0 + shift
        cubes.append({'aoi': {'2018_01': list(enumerate(shapely.box(x, y, x + 6, y + 7)))}})
    tracemalloc.start()
    scot(*cubes)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    print(f'{"SCOT memory, 5,000 x 5,000 buildings":40} {peak:7.0f} MB  (target 500 MB)')


def scene(size: int, width: int) -> None:
    """Area per minute, and the share of time that is not the network's."""
    from mmengine.registry import init_default_scope

    from rsmm.apis.scene import tile_predictor
    from rsmm.registry import MODELS

    init_default_scope('rsmm')

    loss = {'type': 'FootprintLoss', 'terms': {'bce': 10.0, 'jaccard': 2.5}}
    model = MODELS.build(
        {
            'type': 'FootprintSegmentor',
            'backbone': {'type': 'VGG16Encoder', 'base_channels': width},
            'decode_head': {
                'type': 'XDXDHead',
                'in_channels': 'auto',
                'base_channels': width,
                'loss_decode': loss,
            },
            'data_preprocessor': {
                'type': 'MultiSpectralPreprocessor',
                'bands': 'rgb',
                'stats': 'spacenet7',
            },
        }
    )
    network = tile_predictor(model.eval())
    inside = [0.0]

    def predict(tiles: np.ndarray) -> np.ndarray:
        start = time.perf_counter()
        result = network(tiles)
        inside[0] += time.perf_counter() - start
        return result

    image = np.random.default_rng(0).integers(0, 255, (size, size, 3), dtype=np.uint8)
    start = time.perf_counter()
    logits = predict_windows(image, image.shape[:2], predict, tile=512, step=512)
    mask_to_polygons(logits[..., 0])
    total = time.perf_counter() - start
    area = (size * GSD / 1000) ** 2
    print(
        f'{"scene inference":40} {area / total * 60:7.1f} km2/min, '
        f'{100 * (1 - inside[0] / total):.1f} % outside the network (target < 15 %)'
    )


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--label', type=Path, help='animation of truth masks')
    parser.add_argument('--pred', type=Path, help='animation of predicted masks')
    parser.add_argument('--repeat', type=int, default=3)
    parser.add_argument('--scene', type=int, default=0, metavar='PIXELS', help='side of a scene')
    parser.add_argument('--width', type=int, default=64, help='64 is VGG16')
    args = parser.parse_args()
    if args.label and args.pred:
        cube_steps(args.label, args.pred, args.repeat)
    dense_month()
    if args.scene:
        scene(args.scene, args.width)


if __name__ == '__main__':
    main()
