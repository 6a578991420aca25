"""Recall and time of selective search on aerial images with boxes in COCO format.

python benchmarks/selective_search.py IMAGES ANNOTATIONS.json [--limit N] [--sides 128 256]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from record import record

from rsmm.datasets.coco import read_coco
from rsmm.geo.raster import read_raster
from rsmm.ops.selective_search import MODES, rank_regions, recall, region_hierarchy
from rsmm.utils import track


def measure(entries: list[dict], mode: str, side: int) -> dict[str, float]:
    """Recall at several counts (IoU 0.5, mean of three rankings) and CPU time per image."""
    hierarchies, truths, spent = [], [], 0.0
    for entry in track(entries, f'{mode}, {side} px'):
        image, _ = read_raster(entry['img_path'])
        start = time.process_time()
        hierarchies.append(region_hierarchy(image, mode, side))
        spent += time.process_time() - start
        truths.append(np.array([box['bbox'] for box in entry['instances']]).reshape(-1, 4))
    start = time.process_time()
    rankings = [[rank_regions(h, seed) for h in hierarchies] for seed in range(3)]
    ranking = (time.process_time() - start) / 3
    result = {
        'ms_per_image': round(1e3 * spent / len(entries), 1),
        'ms_per_ranking': round(1e3 * ranking / len(entries), 2),
        'boxes_per_image': round(float(np.mean([len(boxes) for boxes in rankings[0]])), 1),
    }
    for count in (30, 100, 300, 1000):
        values = [recall(proposals, truths, count) for proposals in rankings]
        result[f'recall_at_{count}'] = round(float(np.mean(values)), 4)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('images')
    parser.add_argument('annotations')
    parser.add_argument('--limit', type=int)
    parser.add_argument('--sides', type=int, nargs='+', default=[128, 256])
    parser.add_argument('--modes', nargs='+', default=['fast'], choices=sorted(MODES))
    parser.add_argument('--out')
    args = parser.parse_args()
    entries = read_coco(args.annotations, args.images)[0][: args.limit]
    results = {
        f'{mode}, side {side}': measure(entries, mode, side)
        for mode in args.modes
        for side in args.sides
    }
    for name, figures in results.items():
        print(name, figures)
    print(record('selective_search', {'images': len(entries), **results}, args.out))


if __name__ == '__main__':
    main()
