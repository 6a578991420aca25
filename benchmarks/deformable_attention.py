"""Multi-scale deformable attention forward and backward: rsmm, mmcv in PyTorch, mmcv compiled.

python benchmarks/deformable_attention.py [--side 512] [--device cpu]
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from record import record

from rsmm.ops.deform_attn import multi_scale_deformable_attention
from rsmm.ops.mmcv_fallback import install

HEADS, POINTS, WIDTH = 8, 4, 256


def inputs(side: int, batch: int, queries: int | None, device: str) -> tuple[torch.Tensor, ...]:
    """Value, shapes, places and weights of an image: encoder (as many queries as pixels) or not."""
    shapes = torch.tensor([[side // stride] * 2 for stride in (8, 16, 32, 64)])
    pixels = int(shapes.prod(1).sum())
    queries = queries or pixels
    generator = torch.Generator().manual_seed(0)
    value = torch.randn(batch, pixels, HEADS, WIDTH // HEADS, generator=generator)
    places = torch.rand(batch, queries, HEADS, 4, POINTS, 2, generator=generator)
    weights = torch.rand(batch, queries, HEADS, 4, POINTS, generator=generator)
    weights = weights.flatten(3).softmax(-1).view_as(weights)
    return tuple(part.to(device) for part in (value, shapes, places, weights))


def mmcv_forms(choice: str) -> dict[str, Callable]:
    """mmcv's own forms: its PyTorch source read afresh, and the compiled op where it works."""
    importlib.import_module('mmcv.ops')
    module = sys.modules['mmcv.ops.multi_scale_deform_attn']
    source = Path(module.__file__).read_text(encoding='utf-8')
    names: dict = {'__name__': 'mmcv.ops.fresh_copy', '__package__': 'mmcv.ops'}
    exec(compile(source.replace('@MODELS.register_module()', ''), module.__file__, 'exec'), names)
    forms = {'mmcv_pytorch': names['multi_scale_deformable_attn_pytorch']}
    if choice == 'compiled' and torch.cuda.is_available():

        def compiled(value, shapes, places, weights):
            start = torch.cat([shapes.new_zeros(1), shapes.prod(1).cumsum(0)[:-1]])
            return module.MultiScaleDeformableAttnFunction.apply(
                value, shapes, start, places, weights, 64
            )

        forms['mmcv_compiled'] = compiled
    return forms


def milliseconds(form: Callable, arguments: tuple[torch.Tensor, ...], runs: int) -> dict:
    """Median time of forward and of forward with backward."""
    value, shapes, places, weights = arguments
    leaves = [part.detach().requires_grad_() for part in (value, places, weights)]

    def forward():
        return form(leaves[0], shapes, leaves[1], leaves[2])

    def both():
        torch.autograd.grad(forward().square().sum(), leaves)

    found = {}
    for name, call in (('forward_ms', forward), ('forward_backward_ms', both)):
        times = []
        for _ in range(runs + 1):
            _wait(value)
            start = time.perf_counter()
            call()
            _wait(value)
            times.append(time.perf_counter() - start)
        found[name] = round(1e3 * statistics.median(times[1:]), 2)  # the first one warms up
    return found


def _wait(tensor: torch.Tensor) -> None:
    if tensor.is_cuda:
        torch.cuda.synchronize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--side', type=int, default=512, help='side of the image in pixels')
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--runs', type=int, default=7)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--out')
    args = parser.parse_args()
    choice = install()
    forms = {'rsmm': multi_scale_deformable_attention, **mmcv_forms(choice)}
    results = {}
    for part, queries in (('encoder', None), ('decoder_300', 300)):
        arguments = inputs(args.side, args.batch, queries, args.device)
        results[part] = {
            name: milliseconds(form, arguments, args.runs) for name, form in forms.items()
        }
        print(part, results[part])
    settings = {'side': args.side, 'batch': args.batch, 'device': args.device, 'mmcv_ops': choice}
    print(record('deformable_attention', {**settings, **results}, args.out))


if __name__ == '__main__':
    main()
