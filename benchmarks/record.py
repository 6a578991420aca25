"""Storing benchmark results with what is needed to judge them later."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from rsmm.utils import atomic_write

RESULTS = Path(__file__).parent / 'results'


def record(name: str, results: dict, out: str | None = None) -> Path:
    """Write results with commit, machine, load and versions to ``results/<name>.json``.

    Args:
        name: Name of the benchmark.
        results: Figures; keys state the unit.
        out: Another file to write.
    """
    path = Path(out) if out else RESULTS / f'{name}.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    entry = {'benchmark': name, 'date': _now(), 'commit': commit(), **machine(), 'results': results}
    with atomic_write(path, 'w', encoding='utf-8') as file:
        json.dump(entry, file, indent=1)
        file.write('\n')
    return path


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec='seconds')


def commit() -> str:
    """Short hash of the checkout, with ``-dirty`` when tracked files differ from it."""
    command = ['git', 'describe', '--always', '--dirty', '--exclude', '*']
    done = subprocess.run(
        command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or 'unknown'


def machine() -> dict:
    """CPU, cores, load and versions of what does the work."""
    import cv2
    import numpy
    import rasterio
    import torch

    model = next(
        (
            line.partition(':')[2].strip()
            for line in _read('/proc/cpuinfo').splitlines()
            if line.startswith('model name')
        ),
        platform.processor(),
    )
    return {
        'cpu': model,
        'cores': os.cpu_count(),
        'load_1min': round(os.getloadavg()[0], 2),
        'threads': torch.get_num_threads(),
        'versions': {
            'python': platform.python_version(),
            'torch': torch.__version__,
            'numpy': numpy.__version__,
            'opencv': cv2.__version__,
            'rasterio': rasterio.__version__,
        },
    }


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding='utf-8')
    except OSError:
        return ''
