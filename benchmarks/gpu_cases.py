"""Training steps that ``gpu.py`` measures: real loaders, published sizes, ToyEarth as data."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper

from rsmm.apis.config import load_config
from rsmm.datasets.packing import pack_scenes
from rsmm.registry import DATASETS
from tests.families import CONFIGS, FAMILIES, Family, experiment, write_toy

PLACES = {'places': 160, 'size': 264}
#: What is measured on a GPU.
FULL = {
    'saco-plus-r50': Family(
        'saco/saco-plus_resnet50_100e_caco-100k', 'caco', PLACES, options={'batch_size': 128}
    ),
    'moco-r50': Family(
        'moco/moco-v2_resnet50_200e_seco-100k',
        'caco',
        PLACES,
        options={'archive': 'CACoDataset', 'batch_size': 128},
    ),
    'fixmatch-vit-s': Family(
        'semisup/fixmatch_vit-small-p2_205k_eurosat-40lb',
        'eurosat',
        {'chips_per_class': 100, 'products': ('rgb',)},
    ),
    'u-tae': Family('pastis/utae_100e_pastis', 'pastis', {'patches': 60, 'dates': 38, 'size': 128}),
    'deformable-detr-r50': Family(
        'deformable_detr/deformable-detr_r50_50e_dota', 'aerial', {'images': 60, 'size': 1024}
    ),
}
#: The same kinds, small enough to rehearse on a CPU.
TINY = {
    name: FAMILIES[family]
    for name, family in {
        'saco-plus-r50': 'saco-plus',
        'moco-r50': 'moco',
        'fixmatch-vit-s': 'fixmatch',
        'u-tae': 'series',
        'deformable-detr-r50': 'deformable-detr',
    }.items()
}


def measure(
    family: Family, folder: Path, device: str, steps: int, workers: int, batch: int | None
) -> dict[str, object]:
    """Images per second of a training as it stands and of its network alone.

    Args:
        family: What trains on which data.
        folder: Where toy data and packs are written.
        device: ``'cuda'`` or ``'cpu'``.
        steps: Counted steps, after a quarter as many that are not.
        workers: Loader processes.
        batch: Images a batch; None keeps the config's.

    Returns:
        ``images_per_s``, ``roof_images_per_s`` (the same steps on one batch that stays on the
        device, after the preprocessor), their ``ratio``, ``waiting`` (share of the time that the
        loop waited for data), ``utilisation`` (median percent, as the driver says) and
        ``peak_gib``.
    """
    if family.toy == 'caco':
        family = _packed(family, folder)
    _, loader, model = experiment(family, folder, batch, workers=workers)
    model.to(device)
    if device == 'cuda':
        torch.cuda.reset_peak_memory_stats()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 1e-4)
    wrapper = OptimWrapper(optimizer)
    if device == 'cuda':
        wrapper = AmpOptimWrapper(optimizer=optimizer, dtype='bfloat16')
    batches = _endless(loader)
    for _ in range(max(1, steps // 4)):
        model.train_step(next(batches), wrapper)
    with _utilisation(device) as used:
        total, waited = _timed(model, wrapper, batches, steps, device)
    resident = model.data_preprocessor(next(batches), True)
    roof = _roof(model, wrapper, resident, steps, device)
    size = loader.batch_sampler.batch_size if loader.batch_size is None else loader.batch_size
    return {
        'batch': size,
        'images_per_s': round(size * steps / total, 1),
        'roof_images_per_s': round(size * steps / roof, 1),
        'ratio': round(roof / total, 3),
        'waiting': round(waited / total, 3),
        'utilisation': sorted(used)[len(used) // 2] if used else None,
        'peak_gib': round(torch.cuda.max_memory_allocated() / 2**30, 2)
        if device == 'cuda'
        else None,
    }


def _peak(device: str) -> float | None:
    return round(torch.cuda.max_memory_allocated() / 2**30, 2) if device == 'cuda' else None


def _packed(family: Family, folder: Path) -> Family:
    """Pack the archive that a family reads, and read the pack."""
    root = write_toy(family, folder)
    steps = load_config(CONFIGS / f'{family.config}.py').train_dataloader.dataset.pipeline
    size = next(step['size'] for step in steps if step['type'] == 'LoadScenes')
    multispectral = family.config.startswith('saco')
    pack = folder / f'pack-{"ms" if multispectral else "rgb"}-{size}'
    if not pack.exists():
        dataset = DATASETS.build(
            {
                'type': 'CACoDataset',
                'data_root': str(root),
                'mode': 'moco',
                'bands': 'seco' if multispectral else 's2-rgb',
            }
        )
        pack_scenes(dataset, pack, size=size)
    return replace(family, options={**family.options, 'packed': str(pack)})


def _endless(loader) -> Iterator[dict]:
    while True:
        yield from loader


def _wait(device: str) -> float:
    if device == 'cuda':
        torch.cuda.synchronize()
    return time.perf_counter()


def _timed(model, wrapper, batches, steps: int, device: str) -> tuple[float, float]:
    """Seconds of the steps, and those of them in which the loop waited for a batch."""
    waited, start = 0.0, _wait(device)
    for _ in range(steps):
        before = time.perf_counter()
        data = next(batches)
        waited += time.perf_counter() - before
        model.train_step(data, wrapper)
    return _wait(device) - start, waited


def _roof(model, wrapper, data: dict, steps: int, device: str) -> float:
    """Seconds of as many steps on one batch that is on the device already."""

    def step() -> None:
        with wrapper.optim_context(model):
            loss, _ = model.parse_losses(model(**data, mode='loss'))
        wrapper.update_params(loss)

    step()
    start = _wait(device)
    for _ in range(steps):
        step()
    return _wait(device) - start


@contextlib.contextmanager
def _utilisation(device: str) -> Iterator[list[int]]:
    """Sample how busy the GPU is, ten times a second."""
    found: list[int] = []
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(0.1):
            found.append(torch.cuda.utilization())

    thread = threading.Thread(target=sample, daemon=True)
    if device == 'cuda':
        thread.start()
    try:
        yield found
    finally:
        stop.set()
        if device == 'cuda':
            thread.join()
