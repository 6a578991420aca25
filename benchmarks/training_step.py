"""What the framework costs: python benchmarks/training_step.py --data-root data/eurosat

Images per second of the supervised EuroSAT config, run by ``tools/train.py`` from JPEG files with
augmentation, against a bare PyTorch loop (same network, batch, optimizer and threads) on tensors
that are already in memory and normalised. The two take turns; all counted steps make the ratio.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from record import record
from torch import nn

from rsmm.apis.cli import guarded
from rsmm.apis.config import load_config
from rsmm.registry import MODELS

REPO = Path(__file__).resolve().parents[1]
CONFIG = REPO / 'configs' / 'eurosat' / 'resnet18_scratch-12e_eurosat-rgb.py'
WARMUP = 6


def through_the_tool(data_root: str, batch: int, steps: int, packed: str | None) -> list[float]:
    """Return seconds per step of a training through ``tools/train.py``, warm-up left out."""
    with tempfile.TemporaryDirectory() as work_dir:
        options = {
            'data_root': data_root,
            'batch_size': batch,
            'epochs': 1,
            'train_dataloader.dataset.indices': batch * (steps + WARMUP),
            'val_dataloader.dataset.indices': batch,
            'default_hooks.logger.interval': 1,
            'log_processor.window_size': 1,
        }
        if packed:
            options['packed'] = packed
        text = [f'{key}={value}' for key, value in options.items()]
        command = [sys.executable, '-W', 'ignore', 'tools/train.py', str(CONFIG)]
        subprocess.run(
            [*command, '--work-dir', work_dir, '--cfg-options', *text],
            cwd=REPO,
            check=True,
            capture_output=True,
        )
        (scalars,) = Path(work_dir).glob('*/vis_data/scalars.json')
        rows = [json.loads(line) for line in scalars.read_text().splitlines()]
        return [row['time'] for row in rows if 'loss' in row][WARMUP:]


def bare_loop(batch: int, steps: int) -> list[float]:
    """Return seconds per step of the plainest training loop, warm-up left out."""
    backbone = MODELS.build(load_config(CONFIG).model.backbone)
    head = nn.Linear(512, 10)
    parameters = [*backbone.parameters(), *head.parameters()]
    optimizer = torch.optim.SGD(parameters, 0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
    images, labels = torch.randn(batch * 4, 3, 64, 64), torch.randint(0, 10, (batch * 4,))
    seconds = []
    for step in range(steps + WARMUP):
        start = time.perf_counter()
        rows = torch.arange(batch) + batch * (step % 4)
        loss = nn.functional.cross_entropy(
            head(backbone(images[rows])[0].mean((2, 3))), labels[rows]
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
        seconds.append(time.perf_counter() - start)
    return seconds[WARMUP:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data-root', default='data/eurosat')
    parser.add_argument('--packed', help='packed copy of the same chips, to read instead')
    parser.add_argument('--batch', type=int, default=128)
    parser.add_argument('--steps', type=int, default=20, help='counted steps per round')
    parser.add_argument('--rounds', type=int, default=3)
    args = parser.parse_args()
    tool, bare = [], []
    for number in range(args.rounds):
        tool += through_the_tool(args.data_root, args.batch, args.steps, args.packed)
        bare += bare_loop(args.batch, args.steps)
        rates = [args.batch / statistics.fmean(part) for part in (tool, bare)]
        print(
            f'round {number + 1}: tools/train.py {rates[0]:.1f} images/s, '
            f'bare loop {rates[1]:.1f}, ratio {rates[0] / rates[1]:.3f}'
        )
    results = {
        'batch': args.batch,
        'packed': bool(args.packed),
        'tool_images_per_s': round(rates[0], 1),
        'bare_images_per_s': round(rates[1], 1),
        'ratio': round(rates[0] / rates[1], 3),
    }
    print(f'stored in {record("training_step", results)}')


if __name__ == '__main__':
    sys.exit(guarded(main))
