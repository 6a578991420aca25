"""Time and memory of grouping a million changed voxels, and the check against all pairs.

python benchmarks/grouping.py [--voxels 1000000] [--kinds blobs scattered dense]

``blobs``: events of like descriptors in a large volume, what discovery sees. ``scattered``: voxels
at random with noise for descriptors. ``dense``: noise for descriptors in one solid block, where
every voxel has 8,000 others in reach.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time

import numpy as np
from record import record

from rsmm.discovery import group_changes, group_changes_blockwise

SHAPE = (40, 512, 512)
CHANNELS = {'blobs': 16, 'scattered': 16, 'dense': 4}


def volume(kind: str, voxels: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return changes ``(T, H, W)`` and unit features ``(T, C, H, W)`` float32."""
    frames, height, width = SHAPE
    changed = np.zeros(SHAPE, bool)
    features = rng.standard_normal((frames, CHANNELS[kind], height, width), dtype=np.float32)
    if kind == 'scattered':
        changed.flat[rng.choice(changed.size, voxels, replace=False)] = True
    elif kind == 'dense':
        side = int((voxels / 20) ** 0.5)
        changed[:20, :side, :side] = True
    else:
        while changed.sum() < voxels:
            t, y, x = (int(rng.integers(0, size - 60 * (n > 0))) for n, size in enumerate(SHAPE))
            side = int(rng.integers(20, 60))
            changed[t : t + 3, y : y + side, x : x + side] = True
        fields = rng.standard_normal((5, CHANNELS[kind], 16, 16), dtype=np.float32)
        coarse = fields.repeat(8, axis=0).repeat(32, axis=2).repeat(32, axis=3)
        features = coarse + np.float32(0.3) * features
    return changed, features / np.linalg.norm(features, axis=1, keepdims=True)


def measure(kind: str, voxels: int, rows: int | None) -> dict:
    """Return seconds, the peak over the inputs in GiB, and what was found."""
    changed, features = volume(kind, voxels, np.random.default_rng(0))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, cpu = time.perf_counter(), time.process_time()
    if rows is None:
        labels = group_changes(changed, features, max_share=1.0)
    else:
        labels = group_changes_blockwise(changed, features, max_share=1.0, rows=rows)
    return {
        'voxels': int(changed.sum()),
        'components': int(labels.max()),
        'seconds': round(time.perf_counter() - start, 1),
        'cpu_seconds': round(time.process_time() - cpu, 1),
        'peak_gib': round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        'inputs_gib': round(before / 2**20, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--voxels', type=int, default=1_000_000)
    parser.add_argument('--kinds', nargs='+', default=list(CHANNELS), choices=list(CHANNELS))
    parser.add_argument('--rows', type=int, help='bands of so many rows (default: all at once)')
    parser.add_argument('--out')
    args = parser.parse_args()
    results = {}
    for kind in args.kinds:
        # A process of its own: the peak of one must not hide that of the next.
        with multiprocessing.get_context('spawn').Pool(1) as pool:
            results[kind] = pool.apply(measure, (kind, args.voxels, args.rows))
        print(kind, results[kind], flush=True)
    record('grouping', results, args.out)


if __name__ == '__main__':
    main()
