"""Images per second of FixMatch's input and step: views in the worker, on the device, or by Pillow.

    python benchmarks/semisup_step.py --data-root EUROSAT [--steps 20] [--packed PACK]

CPU time of one thread. A step takes 8 labelled and 56 unlabelled chips: 8 + 56 weak and 56 strong
views of 32 pixels. `pillow` decodes, resizes, crops, flips, changes and cuts out image by image, as
the published pipeline does. `loader` makes the same views with the batch of one that a worker has,
`device` with the whole batch, both from JPEG and from a pack. Peak memory is that of the process.
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.registry import init_default_scope
from PIL import Image, ImageDraw, ImageEnhance, ImageOps
from record import record

from rsmm.apis.config import load_config
from rsmm.engine.runner import Runner
from rsmm.registry import MODELS

CONFIGS = Path(__file__).parents[1] / 'configs'
LABELLED, UNLABELLED = 8, 56
VIEWS = LABELLED + 2 * UNLABELLED


def pillow_weak(path: str) -> Image.Image:
    """Decode, resize to 32, crop out of 4 mirrored pixels, flip."""
    image = Image.open(path).convert('RGB').resize((32, 32), Image.Resampling.BILINEAR)
    padded = np.pad(np.asarray(image), ((4, 4), (4, 4), (0, 0)), 'reflect')
    top, left = random.randrange(9), random.randrange(9)
    image = Image.fromarray(padded[top : top + 32, left : left + 32])
    if random.random() < 0.5:
        image = ImageOps.mirror(image)
    return ImageOps.flip(image) if random.random() < 0.5 else image


def _warp(matrix: Callable) -> Callable:
    return lambda image, v: image.transform(image.size, Image.Transform.AFFINE, matrix(v))


PILLOW: tuple[tuple[Callable, float, float], ...] = (
    (lambda image, v: ImageOps.autocontrast(image), 0, 1),
    (lambda image, v: ImageEnhance.Brightness(image).enhance(v), 0.05, 0.95),
    (lambda image, v: ImageEnhance.Color(image).enhance(v), 0.05, 0.95),
    (lambda image, v: ImageEnhance.Contrast(image).enhance(v), 0.05, 0.95),
    (lambda image, v: ImageOps.equalize(image), 0, 1),
    (lambda image, v: image, 0, 1),
    (lambda image, v: ImageOps.posterize(image, int(v)), 4, 8),
    (lambda image, v: image.rotate(v), -30, 30),
    (lambda image, v: ImageEnhance.Sharpness(image).enhance(v), 0.05, 0.95),
    (_warp(lambda v: (1, v, 0, 0, 1, 0)), -0.3, 0.3),
    (_warp(lambda v: (1, 0, 0, v, 1, 0)), -0.3, 0.3),
    (lambda image, v: ImageOps.solarize(image, v), 0, 256),
    (_warp(lambda v: (1, 0, 32 * v, 0, 1, 0)), -0.3, 0.3),
    (_warp(lambda v: (1, 0, 0, 0, 1, 32 * v)), -0.3, 0.3),
)


def pillow_strong(image: Image.Image) -> Image.Image:
    """Three changes drawn with replacement, then a grey box."""
    for change, low, high in random.choices(PILLOW, k=3):
        image = change(image, random.uniform(low, high))
    side = 32 * random.uniform(0, 0.5)
    x, y = (int(max(0, random.uniform(1, 32) - side / 2)) for _ in range(2))
    ImageDraw.Draw(image).rectangle((x, y, min(32, x + side), min(32, y + side)), (125, 123, 114))
    return image


def _tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div_(127.5).sub_(1)


def pillow_batches(paths: list[str]):
    """Batches as the published pipeline makes them; weak and strong views decode the file each."""
    while True:
        chosen = random.choices(paths, k=LABELLED + UNLABELLED)
        labelled = torch.stack([_tensor(pillow_weak(path)) for path in chosen[:LABELLED]])
        weak = torch.stack([_tensor(pillow_weak(path)) for path in chosen[LABELLED:]])
        strong = [_tensor(pillow_strong(pillow_weak(path))) for path in chosen[LABELLED:]]
        yield {'labelled': labelled, 'weak': weak, 'strong': torch.stack(strong)}


def own_batches(config, preprocessor):
    """Batches as the config makes them, loader and preprocessor together."""
    loader = Runner.build_dataloader(config.train_dataloader, seed=0)
    for batch in loader:
        yield preprocessor(batch, True)['inputs']


def rate(batches, steps: int) -> float:
    """Views per second of CPU time, median of five rounds."""
    iterator = iter(batches)
    next(iterator)
    rates = []
    for _ in range(5):
        start = time.process_time()
        for _ in islice(iterator, steps):
            pass
        rates.append(VIEWS * steps / (time.process_time() - start))
    return round(sorted(rates)[2], 1)


def step_rate(config, steps: int) -> float:
    """Views per second of the whole step: input, forward, backward."""
    init_default_scope('rsmm')
    settings = {'data_preprocessor': config.data_preprocessor, **config.model}
    model = MODELS.build(settings).train()
    loader = iter(Runner.build_dataloader(config.train_dataloader, seed=0))

    def run():
        while True:
            losses = model(**model.data_preprocessor(next(loader), True), mode='loss')
            sum(value for name, value in losses.items() if 'loss' in name).backward()
            model.zero_grad()
            yield

    return rate(run(), steps)


def main() -> None:
    """Measure and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data-root', required=True, help='EuroSAT')
    parser.add_argument('--packed', help='the same, packed')
    parser.add_argument('--steps', type=int, default=10)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    init_default_scope('rsmm')
    path = CONFIGS / 'semisup/fixmatch_lite0-trunk_eurosat-40lb_2core.py'
    results: dict[str, float] = {}
    for where in ('loader', 'device'):
        for source in ('jpeg', 'packed') if args.packed else ('jpeg',):
            options = {'data_root': args.data_root, 'where': where, 'num_workers': 0}
            options |= {'view_size': 32, 'labelled': LABELLED, 'unlabelled': UNLABELLED}
            options['packed'] = args.packed if source == 'packed' else None
            config = load_config(path, options)
            preprocessor = MODELS.build(config.data_preprocessor)
            results[f'{where} {source}: input views/s'] = rate(
                own_batches(config, preprocessor), args.steps
            )
            results[f'{where} {source}: step views/s'] = step_rate(config, args.steps)
            paths = [info['img_path'] for info in _infos(config)]
    results['pillow jpeg: input views/s'] = rate(pillow_batches(paths), args.steps)
    results['peak memory MiB'] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    for name, value in results.items():
        print(f'{name:32s} {value}')
    print(record('semisup_step', results))


def _infos(config) -> list[dict]:
    from rsmm.registry import DATASETS

    settings = {**config.train_dataloader.dataset.unlabelled, 'packed': None}
    return DATASETS.build(settings).load_data_list()


if __name__ == '__main__':
    main()
