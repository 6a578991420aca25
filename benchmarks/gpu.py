"""Everything to be known of a GPU, in minutes and without network: python benchmarks/gpu.py

First the tests marked `gpu`, then images per second of six kinds of work, beside the roof: the same
network on data that is on the device already. At the end it says what stays below 0.9 of its roof.
`--device cpu --tiny` rehearses all of it on small networks. One JSON and one table are written.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import traceback
import xml.etree.ElementTree as ET
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPO)]
GOAL = 0.9
GPU_TESTS = ('tests/devices', 'tests/ops', 'tests/models/data_preprocessors')


def run_tests(device: str, limit: float) -> dict[str, object]:
    """Run the tests marked ``gpu``; returns counts, failures and the peak memory of each family."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / 'report.xml'
        command = [
            sys.executable,
            '-m',
            'pytest',
            '-q',
            '-m',
            'gpu',
            '-W',
            'ignore',
            'tests/devices',
        ]
        command += ['tests/ops', 'tests/models/data_preprocessors', f'--junitxml={report}']
        env = {**os.environ, 'RSMM_TEST_DEVICE': device}
        start = time.perf_counter()
        try:
            subprocess.run(command, cwd=REPO, env=env, timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            return {'stopped_after_s': limit}
        cases = list(ET.parse(report).iter('testcase')) if report.is_file() else []
        seconds = round(time.perf_counter() - start, 1)
    failed = [case.get('name') for case in cases if case.find('failure') is not None]
    skipped = sum(case.find('skipped') is not None for case in cases)
    peaks = {
        case.get('name'): float(prop.get('value'))
        for case in cases
        for prop in case.iter('property')
        if prop.get('name') == 'peak_mib'
    }
    passed = len(cases) - len(failed) - skipped
    counts = {'passed': passed, 'failed': failed, 'skipped': skipped}
    return {**counts, 'seconds': seconds, 'peak_mib': peaks}


def run_steps(device: str, tiny: bool, steps: int, workers: int, folder: Path) -> dict[str, dict]:
    """Measure every training; one that fails is noted with its error and the next begins."""
    from gpu_cases import FULL, TINY, measure

    found: dict[str, dict] = {}
    for name, family in (TINY if tiny else FULL).items():
        try:
            found[name] = measure(family, folder, device, steps, workers, 4 if tiny else None)
        except Exception as error:
            traceback.print_exc()
            found[name] = {'error': f'{type(error).__name__}: {str(error).splitlines()[0][:200]}'}
        print(name, found[name], flush=True)
    return found


def run_scene(device: str, tiny: bool, folder: Path) -> dict[str, object]:
    """Megapixels per second of a map of a scene, and of the network alone on its tiles."""
    import numpy as np
    import torch

    from rsmm.apis.model import build_model
    from rsmm.inference.scene import predict_scene
    from rsmm.toy.writers.common import write_geotiff

    side, tile, batch = (512, 128, 4) if tiny else (8192, 512, 16)
    image = np.random.default_rng(0).integers(0, 255, (side, side, 3), dtype=np.uint8)
    write_geotiff(folder / 'scene.tif', image, (4, 0, 0, 0, -4, 0), tiled=True)
    config = REPO / 'configs/gid/unet_resnet18_100e_gid5.py'
    options = {'model.backbone.init_cfg': None}
    model = build_model(str(config), 'random', device=device, options=options)
    start = time.perf_counter()
    predict_scene(
        model, [folder / 'scene.tif'], folder / 'map.tif', bands=model.data_preprocessor.bands,
        tile=tile, batch_size=batch,
    )  # fmt: skip
    whole = time.perf_counter() - start
    tiles = torch.rand(batch, 3, tile, tile, device=device)
    count = (side // (tile * 7 // 8) + 1) ** 2 // batch + 1
    with torch.inference_mode():
        model.logits(tiles)
        start = time.perf_counter()
        for _ in range(count):
            found = model.logits(tiles)
        found.sum().item()
    roof = time.perf_counter() - start
    pixels = side * side / 1e6
    return {
        'mpx_per_s': round(pixels / whole, 2),
        'roof_mpx_per_s': round(pixels / roof, 2),
        'ratio': round(roof / whole, 3),
    }


def table(results: dict) -> str:
    """A Markdown table of what was measured."""
    columns = ('images_per_s', 'roof_images_per_s', 'ratio', 'waiting', 'utilisation', 'peak_gib')
    lines = [f'| | {" | ".join(columns)} |', '|---' * (len(columns) + 1) + '|']
    for name, row in results['steps'].items():
        cells = [row['error']] if 'error' in row else [str(row[key]) for key in columns]
        lines.append(f'| {name} | {" | ".join(cells)} |')
    scene = results['scene']
    cells = [scene.get('error') or f'{scene["mpx_per_s"]} Mpx/s | {scene["roof_mpx_per_s"]} Mpx/s']
    lines.append(f'| scene | {cells[0]} | {scene.get("ratio", "")} |')
    return '\n'.join(lines)


def shortfalls(results: dict) -> list[str]:
    """What failed and what stays below the goal, a line each."""
    tests = results['tests']
    lines = [f'test failed: {name}' for name in tests.get('failed', [])]
    if 'stopped_after_s' in tests:
        lines.append(f'tests did not end within {tests["stopped_after_s"]} s')
    for name, row in {**results['steps'], 'scene': results['scene']}.items():
        if 'error' in row:
            lines.append(f'{name}: {row["error"]}')
        elif row['ratio'] < GOAL:
            lines.append(f'{name}: {row["ratio"]} of the roof, the goal is {GOAL}')
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--device', choices=('cuda', 'cpu'), default='cuda')
    parser.add_argument('--tiny', action='store_true', help='small networks, to rehearse on a CPU')
    parser.add_argument('--steps', type=int, default=0, help='counted steps (default: 40; tiny: 2)')
    parser.add_argument('--workers', type=int, default=min(16, os.cpu_count() or 1))
    parser.add_argument('--no-tests', action='store_true')
    parser.add_argument('--test-limit', type=float, default=240, help='seconds for the tests')
    parser.add_argument('--out', help='JSON (default: benchmarks/results/gpu.json)')
    args = parser.parse_args()
    steps = args.steps or (2 if args.tiny else 40)
    tests = {} if args.no_tests else run_tests(args.device, args.test_limit)

    import torch
    from record import record

    results = {
        'device': torch.cuda.get_device_name() if args.device == 'cuda' else 'cpu',
        'tiny': args.tiny,
        'tests': tests,
    }
    with tempfile.TemporaryDirectory() as folder:
        workers = 0 if args.tiny else args.workers
        results['steps'] = run_steps(args.device, args.tiny, steps, workers, Path(folder))
        try:
            results['scene'] = run_scene(args.device, args.tiny, Path(folder))
        except Exception as error:
            traceback.print_exc()
            results['scene'] = {'error': f'{type(error).__name__}: {error}'[:200]}
    print(table(results))
    short = shortfalls(results)
    print('\n'.join(['What falls short:', *short]) if short else 'Nothing falls short.')
    name = 'gpu_rehearsal' if args.device == 'cpu' else 'gpu'
    print(f'stored in {record(name, {**results, "short": short}, args.out)}')
    return 1 if tests.get('failed') else 0


if __name__ == '__main__':
    sys.exit(main())
