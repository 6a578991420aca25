"""Tiles per second of detection on a large GeoTIFF, from file to merged boxes.

python benchmarks/detect_scene.py --config CONFIG [--side 4096] [--tile 512] [--device cpu]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from record import record

from rsmm.datasets.tiling import tile_windows
from rsmm.geo.io import write_raster
from rsmm.inference.detect_files import detect_files, load_detector
from rsmm.inference.detection import model_predictor
from rsmm.toy.aerial import draw_scene


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--config', required=True)
    parser.add_argument('--checkpoint', default='random')
    parser.add_argument('--side', type=int, default=4096, help='side of the scene in pixels')
    parser.add_argument('--tile', type=int, default=512)
    parser.add_argument('--stride', type=int, default=448)
    parser.add_argument('--batch-size', type=int, default=4)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--out')
    args = parser.parse_args()
    options = {'scale': (args.tile, args.tile)}
    detector = load_detector(args.config, args.checkpoint, args.device, options)
    count = len(tile_windows((args.side, args.side), args.tile, args.stride, border='shift'))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'scene.tif'
        block = draw_scene(0, 512).image
        repeats = -(-args.side // 512)
        scene = np.tile(block, (repeats, repeats, 1))[: args.side, : args.side]
        write_raster(path, scene, crs='EPSG:32631', transform=(0.3, 0, 5e5, 0, -0.3, 5e6))
        start = time.perf_counter()
        found = detect_files(
            model_predictor(detector.model, detector.scale),
            [path],
            Path(folder) / 'out',
            detector.classes,
            tile=args.tile,
            stride=args.stride,
            batch_size=args.batch_size,
            pictures=False,
        )
        seconds = time.perf_counter() - start
    results = {
        'config': Path(args.config).stem,
        'checkpoint': 'random' if args.checkpoint == 'random' else Path(args.checkpoint).name,
        'scene_side': args.side,
        'tile': args.tile,
        'stride': args.stride,
        'batch_size': args.batch_size,
        'device': args.device,
        'tiles': count,
        'boxes': len(found[0].boxes),
        'seconds': round(seconds, 1),
        'tiles_per_s': round(count / seconds, 2),
        'megapixels_per_s': round(args.side**2 / seconds / 1e6, 2),
    }
    print(results)
    print(record(f'detect_scene_{Path(args.config).stem}', results, args.out))


if __name__ == '__main__':
    main()
