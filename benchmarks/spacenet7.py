"""Speed and memory of the SpaceNet 7 chain on one core and in one process.

    python benchmarks/spacenet7.py --label sn7_cube_label.gif --pred sn7_cube_pred.gif

Prints wall and CPU seconds and the ratio of the wall time to the target of each step, so that a
number below 1 is good, and stores them in ``benchmarks/results/spacenet7.json``. The best of
``--repeat`` runs counts; on a loaded machine trust the CPU time. ``--scene`` times inference of the
XD_XD U-Net as well.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import shapely
from record import record

from rsmm.datasets.spacenet7 import Frame
from rsmm.evaluation.functional import scot
from rsmm.geo import (
    make_cube,
    make_stem,
    mask_to_polygons,
    read_mask_stack,
    track_footprints,
    track_masks,
    write_raster,
)
from rsmm.studies.spacenet7 import process_aoi
from rsmm.studies.spacenet7_options import PipelineOptions

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


def report(name: str, seconds: tuple[float, float]) -> dict:
    """Print one line and return it as an entry for the results."""
    target, (wall, cpu) = _TARGETS[name], seconds
    print(f'{name:40} {wall:7.2f} s (CPU {cpu:6.2f} s)  {wall / target:5.2f} of {target:g} s')
    return {name: {'wall_s': round(wall, 2), 'cpu_s': round(cpu, 2), 'target_s': target}}


def cube_steps(label: Path, pred: Path, repeat: int) -> dict:
    """Time polygons, tracks and SCOT of the real cube."""
    results: dict = {}
    stacks = {'label': read_mask_stack(label), 'pred': read_mask_stack(pred)}
    frames = {}
    for name, stack in stacks.items():
        seconds, frames[name] = best(lambda s=stack: [mask_to_polygons(m, 0.5) for m in s], repeat)
    results |= report('polygonise 19 frames of 1024 x 1024', seconds)
    seconds, _ = best(lambda: track_footprints(frames['pred']), repeat)
    results |= report('track, from polygons', seconds)
    seconds, _ = best(lambda: track_masks(stacks['pred']), repeat)
    results |= report('track, from masks', seconds)

    months = [f'{2018 + k // 12}_{k % 12 + 1:02d}' for k in range(len(stacks['label']))]
    cubes = {n: {'aoi': make_cube(months, f, track_footprints(f))} for n, f in frames.items()}
    seconds, _ = best(lambda: scot(cubes['label'], cubes['pred']), repeat)
    results |= report('SCOT, pixel outlines', seconds)
    moved = {
        month: [(name, shape) for (name, _), shape in zip(rows, _shift(rows), strict=True)]
        for month, rows in cubes['label']['aoi'].items()
    }
    seconds, _ = best(lambda: scot({'aoi': moved}, cubes['pred']), repeat)
    return results | report('SCOT, truth off the pixel grid', seconds)


def _shift(rows) -> np.ndarray:
    return shapely.transform([shape for _, shape in rows], lambda points: points + 0.3)


def dense_month() -> dict:
    """Peak memory of SCOT with 5,000 buildings on each side, off the pixel grid.

    Call it first: the peak of the process counts memory that Python does not know of, such as that
    of geometries, but never falls.
    """
    rows, columns = np.divmod(np.arange(5000), 71)
    cubes = []
    for shift in (0.0, 0.4):
        x, y = columns * 10.0 + shift, rows * 10.0 + shift
        cubes.append({'aoi': {'2018_01': list(enumerate(shapely.box(x, y, x + 6, y + 7)))}})
    before = resident_mb()
    tracemalloc.start()
    scot(*cubes)
    traced = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    grown = resident_mb() - before
    name = 'SCOT memory, 5,000 x 5,000 buildings'
    print(f'{name:40} {traced:7.0f} MB, process +{grown:.0f} MB  (target 500 MB)')
    return {name: {'traced_mb': round(traced, 1), 'process_mb': round(grown, 1), 'target_mb': 500}}


def resident_mb() -> float:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def scene(size: int, width: int) -> dict:
    """Area per minute of one month through the whole chain, and what is not the network's time.

    Reading the image, normalisation, outlines, tracking and writing every file count as outside.
    """
    from rsmm.inference.mapping import tile_predictor

    model = build_model(width)
    network = model.logits
    inside = [0.0]

    def timed(images):
        start = time.perf_counter()
        result = network(images)
        inside[0] += time.perf_counter() - start
        return result

    model.logits = timed
    aoi = 'L15-0000E-0000N_0000_0000_13'
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / f'{make_stem(aoi, "2018_01")}.tif'
        noise = np.random.default_rng(0).integers(1, 255, (size, size, 4), dtype=np.uint8)
        write_raster(image, noise)
        start = time.perf_counter()
        frames = [Frame(aoi, '2018_01', image)]
        process_aoi(aoi, frames, tile_predictor(model), Path(folder), PipelineOptions())
        total = time.perf_counter() - start
    speed, outside = (size * GSD / 1000) ** 2 / total * 60, 100 * (1 - inside[0] / total)
    name = f'scene, {size} x {size}, width {width}'
    print(f'{name:40} {speed:7.1f} km2/min, {outside:.1f} % outside the network (target < 15 %)')
    return {name: {'km2_per_min': round(speed, 1), 'outside_network_percent': round(outside, 2)}}


def build_model(width: int):
    """Build the XD_XD U-Net with random weights."""
    from mmengine.registry import init_default_scope

    from rsmm.registry import MODELS

    init_default_scope('rsmm')
    parts = {
        'type': 'FootprintSegmentor',
        'backbone': {'type': 'VGG16Encoder', 'base_channels': width},
        'decode_head': {
            'type': 'XDXDHead',
            'in_channels': 'auto',
            'base_channels': width,
        },
        'loss': {'type': 'FootprintLoss', 'terms': {'bce': 10.0, 'jaccard': 2.5}},
        'data_preprocessor': {
            'type': 'MultiSpectralPreprocessor',
            'bands': 'rgb',
            'stats': 'spacenet7',
        },
    }
    return MODELS.build(parts).eval()


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--label', type=Path, help='animation of truth masks')
    parser.add_argument('--pred', type=Path, help='animation of predicted masks')
    parser.add_argument('--repeat', type=int, default=3)
    parser.add_argument('--scene', type=int, default=0, metavar='PIXELS', help='side of a scene')
    parser.add_argument('--width', type=int, nargs='+', default=[64], help='64 is VGG16')
    parser.add_argument('--out', help='JSON file instead of benchmarks/results/spacenet7.json')
    args = parser.parse_args()
    results = dense_month()
    if args.label and args.pred:
        results |= cube_steps(args.label, args.pred, args.repeat)
    for width in args.width if args.scene else ():
        results |= scene(args.scene, width)
    print(f'Written to {record("spacenet7", results, args.out)}')


if __name__ == '__main__':
    main()
