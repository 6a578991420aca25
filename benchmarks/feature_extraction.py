"""Images per second of extract_features.py against a bare loop over the same images and network.

python benchmarks/feature_extraction.py FOLDER [--images 1024] [--rounds 3]

The bare loop opens with Pillow, resizes, stacks, normalises and runs the backbone: what one writes
in ten lines. Both take turns in one process and are compared in CPU time, so that other jobs on the
machine do not count.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from record import record

from rsmm.apis.model import build_model
from rsmm.inference.folder_features import folder_features
from rsmm.utils.listing import list_files

CONFIG = 'configs/ripples/ripples_resnet18_eurosat_20e.py'
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


@torch.inference_mode()
def bare(paths: list[Path], batch_size: int) -> np.ndarray:
    """Features ``(N, D)`` of a plain loop, the model built as in the tool."""
    torch.manual_seed(0)
    backbone = build_model(CONFIG, 'random').backbone
    found = []
    for start in range(0, len(paths), batch_size):
        images = []
        for path in paths[start : start + batch_size]:
            with Image.open(path) as image:
                images.append(np.asarray(image.convert('RGB').resize((112, 112), Image.BILINEAR)))
        batch = (np.stack(images).astype(np.float32) / 255 - MEAN) / STD
        maps = backbone(torch.from_numpy(batch).permute(0, 3, 1, 2))[-1]
        found.append(maps.mean(dim=(2, 3)).numpy())
    return np.concatenate(found)


def timed(call) -> tuple[float, np.ndarray]:
    """CPU seconds of a call, and its result."""
    start = time.process_time()
    result = call()
    return time.process_time() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder')
    parser.add_argument('--images', type=int, default=1024)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--batch-size', type=int, default=64)
    parser.add_argument('--out')
    args = parser.parse_args()
    paths = list_files(Path(args.folder), deep=True)
    paths = paths[:: max(1, len(paths) // args.images)][: args.images]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for number, path in enumerate(paths):
            (root / f'{number:06d}{path.suffix}').symlink_to(path.resolve())
        links = list_files(root)
        seconds = {'bare': [], 'rsmm': []}
        for _ in range(args.rounds):
            spent, expected = timed(lambda: bare(links, args.batch_size))
            seconds['bare'].append(spent)
            spent, (_, found) = timed(
                lambda: folder_features(CONFIG, 'random', root, batch_size=args.batch_size)
            )
            seconds['rsmm'].append(spent)
    alike = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(expected, found.vectors, strict=True)])
    results = {
        'images': len(links),
        'cpu_seconds': {name: [round(s, 2) for s in values] for name, values in seconds.items()},
        'images_per_cpu_second': {n: round(len(links) / min(v), 1) for n, v in seconds.items()},
        'ratio': round(min(seconds['bare']) / min(seconds['rsmm']), 3),
        'correlation': round(float(alike), 4),  # resized by other libraries, otherwise the same
    }
    print(results)
    record('feature_extraction', results, args.out)


if __name__ == '__main__':
    main()
