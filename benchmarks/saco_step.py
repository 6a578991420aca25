"""Step time and peak memory of SACo+, on the device at hand.

python benchmarks/saco_step.py [--depth 18] [--batch 64] [--steps 10] [--no-texture] [--fused]
"""

from __future__ import annotations

import argparse
import resource
import time

import torch
from mmengine.registry import init_default_scope
from record import record

from rsmm.registry import MODELS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--depth', type=int, default=18)
    parser.add_argument('--batch', type=int, default=64)
    parser.add_argument('--steps', type=int, default=10)
    parser.add_argument('--no-texture', action='store_true')
    parser.add_argument('--fused', action='store_true', help='one forward over all groups')
    args = parser.parse_args()
    init_default_scope('rsmm')
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    model = MODELS.build(
        {
            'type': 'SACo',
            'backbone': {'type': 'mmpretrain.ResNet', 'depth': args.depth},
            'neck': {'type': 'GroupMLP', 'in_channels': 2048 if args.depth >= 50 else 512},
            'bands': 'seco',
            'texture': not args.no_texture,
            'queue_len': args.batch * 1024,
            'fused': args.fused,
            'data_preprocessor': {'type': 'MultiSpectralPreprocessor', 'scale': 255},
        }
    )
    model = model.to(device).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    batch = [torch.randint(0, 256, (args.batch, 12, 64, 64), dtype=torch.uint8) for _ in range(3)]

    def step() -> None:
        views = [view.to(device).float() / 255 for view in batch]
        optimizer.zero_grad()
        model.loss(views)['loss'].backward()
        optimizer.step()

    step()
    times = []
    for _ in range(args.steps):
        if device == 'cuda':
            torch.cuda.synchronize()
        start = time.perf_counter()
        step()
        if device == 'cuda':
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    if device == 'cuda':
        memory = torch.cuda.max_memory_allocated() / 2**30
        name = torch.cuda.get_device_name()
    else:
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        name = f'CPU, {torch.get_num_threads()} threads'
    median = sorted(times)[len(times) // 2]
    print(
        f'SACo{"" if args.no_texture else "+"} ResNet-{args.depth}, batch {args.batch}, {name}: '
        f'{median:.3f} s per step, {args.batch / median:.1f} samples/s, peak {memory:.2f} GiB'
    )
    plus, fused = '' if args.no_texture else '-plus', '_fused' if args.fused else ''
    record(
        f'saco{plus}_step_r{args.depth}_b{args.batch}{fused}',
        {
            'device': name,
            's_per_step': round(median, 3),
            'samples_per_s': round(args.batch / median, 2),
            'peak_gib': round(memory, 2),
            'steps': args.steps,
        },
    )


if __name__ == '__main__':
    main()
