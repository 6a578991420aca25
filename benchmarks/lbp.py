"""Time LBP against scikit-image on one CPU thread, and on a GPU where there is one.

python benchmarks/lbp.py [--batch 96] [--repeat 9]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from record import record
from skimage.feature import local_binary_pattern

from rsmm.ops import lbp


def best_of(function: Callable[[], object], repeat: int) -> float:
    """Least seconds of CPU time over several calls; the first call is not counted."""
    function()
    times = []
    for _ in range(repeat):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def contents(batch: int) -> dict[str, np.ndarray]:
    """Bands from the easiest case (noise: no ties) to the hardest (flat: nothing but ties)."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (batch, 64, 64), dtype=np.uint8)
    fine = torch.nn.functional.interpolate(
        torch.from_numpy(rng.random((batch, 1, 16, 16)) * 200), size=64, mode='bicubic'
    )
    return {
        'noise': noise,
        'smooth': fine[:, 0].clamp(0, 255).to(torch.uint8).numpy(),
        'flat': np.full_like(noise, 37),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--batch', type=int, default=96, help='bands of 64 x 64 pixels')
    parser.add_argument('--repeat', type=int, default=9)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f'{"content":8} {"scikit-image":>14} {"rsmm":>10} {"ratio":>7}   (ms per band, P=16 R=2)')
    results = {}
    for name, images in contents(args.batch).items():
        theirs = best_of(
            lambda images=images: [local_binary_pattern(i, 16, 2, 'uniform') for i in images],
            args.repeat,
        )
        ours = best_of(lambda images=images: lbp(images, 16, 2, 'uniform'), args.repeat)
        scale = 1e3 / args.batch
        print(f'{name:8} {theirs * scale:14.3f} {ours * scale:10.3f} {theirs / ours:7.2f}')
        results[name] = {
            'scikit_image_ms_per_band': round(theirs * scale, 3),
            'rsmm_ms_per_band': round(ours * scale, 3),
            'ratio': round(theirs / ours, 2),
        }
    if torch.cuda.is_available():
        images = torch.from_numpy(contents(768)['smooth']).cuda()
        lbp(images)
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(args.repeat):
            lbp(images)
        torch.cuda.synchronize()
        per_band = (time.perf_counter() - start) / args.repeat / len(images)
        print(f'{torch.cuda.get_device_name()}: {per_band * 1e6:.2f} us per band')
        results[torch.cuda.get_device_name()] = {'us_per_band': round(per_band * 1e6, 2)}
    record('lbp', results)


if __name__ == '__main__':
    main()
