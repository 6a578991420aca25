"""How many chips a second: python benchmarks/data_loading.py --data-root data/eurosat

Measures side by side in one run, per worker and on warm files,

- 13-band GeoTIFFs: plain rasterio, ``LoadRaster``, the packed dataset (both through ``EuroSAT``),
- each transform on a 3-band byte chip and a 13-band uint16 chip, in microseconds,
- a two-view RGB pipeline, from JPEG to batches, with 1 and 2 loader workers,
- batches of packed 13-band chips, stacked in the workers (``default_collate``) against stacked in
  the main process (``pseudo_collate``).

The fastest of several rounds is reported: other load only ever adds time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import rasterio
from mmengine.dataset import default_collate, pseudo_collate
from record import record
from torch.utils.data import ConcatDataset, DataLoader

from rsmm.apis.cli import guarded
from rsmm.datasets.eurosat import EuroSAT
from rsmm.datasets.packing import pack_dataset
from rsmm.models.data_preprocessors.multispectral import MultiSpectralPreprocessor
from rsmm.registry import TRANSFORMS
from rsmm.sensors import RGB, band_order

ROUNDS = 5
TWO_VIEWS = [
    dict(type='LoadRaster'),
    dict(
        type='MultiView',
        num_views=2,
        transforms=[
            dict(type='RandomResizedCrop', size=64),
            dict(type='RandomDihedral'),
            dict(type='RandomColorJitter'),
            dict(type='RandomGray'),
            dict(type='RandomGaussianBlur'),
        ],
    ),
    dict(type='PackRaster'),
]
PER_TRANSFORM = {
    'RandomDihedral': {},
    'RandomResizedCrop': {'size': 64},
    'RandomAffine': {'degrees': 45, 'shear': 10, 'prob': 1},
    'RandomBrightnessContrast': {'prob': 1},
    'RandomGaussianBlur': {'prob': 1},
    'RandomBandDrop': {'drop_prob': 0.2},
    'ScaleMinMax': {},
    'ScaleQuantile': {},
    'ScaleMeanStd': {'stats': 'eurosat'},
    'ToReflectance': {},
    'PackRaster': {},
}
COLOUR_ONLY = {'RandomColorJitter': {'prob': 1}, 'RandomGray': {'prob': 1}}


def best_rate(work: Callable[[], int]) -> float:
    """Items per second of the fastest round; ``work`` returns how many it did."""
    work()
    rates = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        count = work()
        rates.append(count / (time.perf_counter() - start))
    return max(rates)


def reading(root: str, folder: str) -> dict[str, float]:
    """Chips per second of the three ways to read 13-band chips."""
    plain = EuroSAT(root, bands='ms', split='all', pipeline=[dict(type='LoadRaster')])
    pack_dataset(plain, folder)
    packed = EuroSAT(packed=folder, bands='ms', split='all', pipeline=[dict(type='LoadRaster')])
    paths = [plain.get_data_info(index)['img_path'] for index in range(len(plain))]

    def rasterio_only() -> int:
        for path in paths:
            with rasterio.open(path) as source:
                source.read()
        return len(paths)

    def through(dataset: EuroSAT, times: int) -> Callable[[], int]:
        def work() -> int:
            for _ in range(times):
                for index in range(len(dataset)):
                    dataset[index]
            return times * len(dataset)

        return work

    rates = {
        'chips': len(paths),
        'rasterio_chips_per_s': best_rate(rasterio_only),
        'load_raster_chips_per_s': best_rate(through(plain, 1)),
        'packed_chips_per_s': best_rate(through(packed, 10)),
    }
    rates['packed_over_rasterio'] = rates['packed_chips_per_s'] / rates['rasterio_chips_per_s']
    return rates


def transforms() -> dict[str, dict[str, float]]:
    """Microseconds per call of each transform."""
    rng = np.random.default_rng(0)
    chips = {
        'rgb_uint8': (rng.integers(0, 256, (64, 64, 3), dtype=np.uint8), RGB),
        's2_uint16': (rng.integers(0, 5000, (64, 64, 13), dtype=np.uint16), band_order('eurosat')),
    }
    table: dict[str, dict[str, float]] = {}
    for name, settings in {**PER_TRANSFORM, **COLOUR_ONLY}.items():
        transform = TRANSFORMS.build(dict(type=name, **settings))
        for kind, (image, bands) in chips.items():
            if name in COLOUR_ONLY and kind != 'rgb_uint8':
                continue

            def work(transform=transform, image=image, bands=bands) -> int:
                for _ in range(200):
                    transform({'img': image.copy(), 'bands': bands, 'gt_label': 0})
                return 200

            table.setdefault(name, {})[f'{kind}_us'] = 1e6 / best_rate(work)
    return table


def loading(root: str) -> dict[str, float]:
    """Images per second of a two-view RGB loader, after its workers have started."""
    dataset = EuroSAT(root, split='all', pipeline=TWO_VIEWS, indices=4096)
    rates = {}
    for workers in (0, 1, 2):
        loader = DataLoader(
            dataset,
            batch_size=128,
            num_workers=workers,
            persistent_workers=workers > 0,
            collate_fn=default_collate,
        )

        def work(loader=loader) -> int:
            return sum(len(batch['data_samples']) for batch in loader)

        rates[f'two_views_{workers}_workers_images_per_s'] = best_rate(work)
    return rates


def collating(folder: str) -> dict[str, float]:
    """13-band packed chips a second, from loader workers to normalised batches, per collate."""
    steps = [dict(type='LoadRaster'), dict(type='RandomDihedral'), dict(type='PackRaster')]
    dataset = EuroSAT(packed=folder, bands='ms', split='all', pipeline=steps)
    repeated = ConcatDataset([dataset] * max(1, 4096 // len(dataset)))
    preprocess = MultiSpectralPreprocessor(bands='eurosat', stats='eurosat')
    rates = {}
    for collate in (pseudo_collate, default_collate):
        loader = DataLoader(
            repeated, batch_size=128, num_workers=2, persistent_workers=True, collate_fn=collate
        )

        def work(loader=loader) -> int:
            return sum(len(preprocess(batch)['inputs']) for batch in loader)

        rates[f'{collate.__name__}_2_workers_chips_per_s'] = best_rate(work)
    return rates


def main() -> None:
    """Run all parts and print and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data-root', default='data/eurosat', help='EuroSAT, with 2750/ and tif/')
    parser.add_argument('--out', help='result file (default: benchmarks/results/)')
    args = parser.parse_args()
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as folder:
        pack = str(Path(folder) / 'pack')
        results = {'reading_13_bands': reading(args.data_root, pack), 'collate': collating(pack)}
    results['transforms'] = transforms()
    results['loader'] = loading(args.data_root)
    for part, figures in results.items():
        print(part)
        for name, value in figures.items():
            shown = value if isinstance(value, dict) else {'': value}
            print(f'  {name:42s}', '  '.join(f'{k} {v:,.1f}' for k, v in shown.items()))
    print('stored in', record('data_loading', results, args.out))


if __name__ == '__main__':
    sys.exit(guarded(main))
