"""Samples per second of SACo+'s input: tif files, packed scenes, texture in the loader or not.

    python benchmarks/saco_input.py [--root TOY_CACO] [--samples 60]

One worker, one thread. A sample is 12 bands of the dates that are drawn, three views; with texture
each view has 12 more bands. Without --root a toy archive of published size (264 pixels) is written.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import torch
from mmengine.registry import init_default_scope
from record import record

from rsmm.datasets.packing import pack_scenes
from rsmm.datasets.seeded import SampleIndex, SeededDataset
from rsmm.registry import DATASETS


def build(root: str, packed: str | None, texture: bool) -> SeededDataset:
    """The dataset of SACo's config, read from files or from a pack."""
    pipeline = [
        {'type': 'SampleDates'},
        {'type': 'LoadScenes', 'size': 64},
        {'type': 'SeasonalViews'},
        *([{'type': 'AppendTexture'}] if texture else []),
        {'type': 'PackRaster'},
    ]
    settings = {'type': 'CACoDataset', 'mode': 'saco', 'bands': 'seco', 'pipeline': pipeline}
    return SeededDataset(DATASETS.build({**settings, 'data_root': root, 'packed': packed}))


def samples_per_second(dataset: SeededDataset, count: int) -> float:
    """Median of five rounds over ``count`` samples, in CPU time of this thread."""
    rates = []
    for epoch in range(5):
        start = time.thread_time()
        for index in range(count):
            dataset[SampleIndex(index % len(dataset), epoch, 0)]
        rates.append(count / (time.thread_time() - start))
    return sorted(rates)[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--root', help='archive in the layout of CACo')
    parser.add_argument('--samples', type=int, default=60)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    init_default_scope('rsmm')
    with tempfile.TemporaryDirectory() as folder:
        root = args.root
        if root is None:
            from rsmm.toy.writers.caco import write_caco

            root = f'{folder}/caco'
            write_caco(root, places=6)
        pack_scenes(build(root, None, False).dataset, Path(folder) / 'packed', size=64)
        packed = f'{folder}/packed'
        rates = {
            'tif': samples_per_second(build(root, None, False), args.samples),
            'packed': samples_per_second(build(root, packed, False), args.samples),
            'packed, LBP in the loader': samples_per_second(
                build(root, packed, True), args.samples
            ),
        }
    record('saco_input', {f'{name}, samples per s': round(rate, 1) for name, rate in rates.items()})
    for name, rate in rates.items():
        print(f'{name:28} {rate:8.1f} samples/s per worker')
    print(f'packed / tif: {rates["packed"] / rates["tif"]:.1f}')


if __name__ == '__main__':
    main()
