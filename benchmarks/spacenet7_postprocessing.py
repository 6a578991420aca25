"""What each step after the network is worth: SCOT of one run under different switches.

    python benchmarks/spacenet7_postprocessing.py --run work_dirs/sn7 --images DIR

``--run`` is the output of ``tools/pipelines/spacenet7.py`` with probabilities kept. With ``--gif``
the masks of an animation stand in for probabilities and another animation for the truth:

    python benchmarks/spacenet7_postprocessing.py --gif sn7_cube_pred.gif --truth sn7_cube_label.gif

The means over the areas are stored in ``benchmarks/results/spacenet7_postprocessing_<name>.json``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from record import record

from rsmm.datasets.spacenet7 import find_cubes
from rsmm.evaluation.functional import scot
from rsmm.geo import make_cube, mask_to_polygons, read_mask_stack, track_footprints
from rsmm.studies.spacenet7 import find_buildings, read_truth
from rsmm.studies.spacenet7_options import PipelineOptions

SWITCHES = {
    'baseline (tracker 0.20)': {},
    'tracker IoU 0.10': {'min_iou': 0.1},
    'master follows the latest shape': {'master': 'latest'},
    'master of median area': {'master': 'median'},
    'look-ahead 3 months': {'look_ahead': 3},
    'gaps filled': {'max_gap': 99},
    'tracks of >= 3 months, >= 50 % present': {'min_months': 3, 'min_presence': 0.5},
    'the same, gaps filled': {'min_months': 3, 'min_presence': 0.5, 'max_gap': 99},
    'watershed 0.7 / 0.3': {'watershed': (0.7, 0.3)},
    'temporal collapse': {'mode': 'collapse'},
    'temporal collapse, mean over all months': {'mode': 'collapse', 'collapse': {'floor': 0.0}},
}
_EPS = 1e-6


def logits_of(probabilities: np.ndarray) -> np.ndarray:
    """Return log odds; no data (NaN) becomes minus infinity."""
    p = np.clip(probabilities, _EPS, 1 - _EPS)
    return np.where(np.isnan(probabilities), -np.inf, np.log(p / (1 - p)))


def from_run(run: Path, images: Path) -> tuple[dict, dict]:
    """Read months, logits and valid masks per AOI, and the truth."""
    cubes = find_cubes(images)
    stacks = {}
    for aoi, frames in cubes.items():
        paths = [run / aoi / 'probabilities' / f'{frame.stem}.tif' for frame in frames]
        rasters = [read_masked(path) for path in paths]
        stacks[aoi] = [frame.month for frame in frames], *zip(*rasters, strict=True)
    return stacks, read_truth(cubes)


def read_masked(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read probabilities as logits (H, W, K), and where they are defined."""
    import rasterio

    with rasterio.open(path) as source:
        array = np.moveaxis(source.read(), 0, -1)
    return logits_of(array), ~np.isnan(array[..., 0])


def from_gifs(prediction: Path, truth: Path) -> tuple[dict, dict]:
    """Take masks for probabilities; the identities of the truth come from the tracker."""
    masks = read_mask_stack(prediction)
    months = [f'{2018 + k // 12}_{k % 12 + 1:02d}' for k in range(len(masks))]
    logits = [logits_of(mask[..., None].astype(np.float32)) for mask in masks]
    valid = [np.ones(mask.shape, bool) for mask in masks]
    polygons = [mask_to_polygons(mask, 0.5) for mask in read_mask_stack(truth)]
    cube = make_cube(months, polygons, track_footprints(polygons))
    return {'cube': (months, logits, valid)}, {'cube': cube}


def main() -> None:
    """Print one line per switch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--run', type=Path)
    parser.add_argument('--images', type=Path)
    parser.add_argument('--gif', type=Path)
    parser.add_argument('--truth', type=Path)
    parser.add_argument('--aoi', nargs='*', help='only these, e.g. the held-out ones')
    parser.add_argument('--name', default='run', help='of the results file')
    args = parser.parse_args()
    stacks, truth = from_gifs(args.gif, args.truth) if args.gif else from_run(args.run, args.images)
    wanted = args.aoi or sorted(stacks)
    truth = {aoi: truth[aoi] for aoi in wanted}
    print(f'{"":40} {"T":>6} {"C":>6} {"SCOT":>6} {"MOTA":>6}')
    table = {}
    for name, settings in SWITCHES.items():
        options = PipelineOptions(**settings)
        proposals = {aoi: find_buildings(*stacks[aoi], options) for aoi in wanted}
        result = scot(truth, proposals)
        areas = result['per_aoi'].values()
        track, change = (
            np.mean([area[key] for area in areas]) for key in ('track_score', 'change_score')
        )
        values = track, change, result['score'], result['mota']
        names = ('track_score', 'change_score', 'scot', 'mota')
        table[name] = {key: round(float(v), 4) for key, v in zip(names, values, strict=True)}
        print(f'{name:40} ' + ' '.join(f'{value:6.3f}' for value in values), flush=True)
    record(f'spacenet7_postprocessing_{args.name}', {'aois': wanted, 'switches': table})


if __name__ == '__main__':
    main()
