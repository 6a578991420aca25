"""A prediction that is killed at a chosen moment; run in a process of its own."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path
from types import SimpleNamespace

from rsmm.inference import map_files, mapping, records
from tests.inference.small_models import Building, inferencer


class Kill:
    """Ends the process at the n-th call of what it wraps."""

    left = 0

    @classmethod
    def wrap(cls, function):
        def called(*args, **kwargs):
            cls.left -= 1
            if not cls.left:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return called


def predict(folder: Path, out: Path, kill_at: int = 0) -> None:
    """Map a folder of scenes with everything written; 0 lets it end."""
    Kill.left = kill_at
    if kill_at:
        mapping.missing_rows = Kill.wrap(mapping.missing_rows)
        map_files.to_cog = Kill.wrap(map_files.to_cog)
        map_files.write_polygons = Kill.wrap(map_files.write_polygons)
        records.os = SimpleNamespace(replace=Kill.wrap(os.replace), path=os.path, stat=os.stat)
        records.atomic_write = Kill.wrap(records.atomic_write)
    inferencer(Building)(str(folder), out=out, polygons=True, probabilities=True, html=True)


def fill_disk(image: Path, out: Path) -> tuple[str, str]:
    """Map a scene where no file may grow beyond two kilobytes; returns the error."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        inferencer()(str(image), out=out)
    except Exception as error:  # whatever comes is the test's to judge
        return type(error).__name__, str(error)
    return 'nothing', ''
