"""Which of the files in a work folder a run goes on from, and which of them is its best."""

from __future__ import annotations

import re
from pathlib import Path

from rsmm.checkpoints.files import check_container
from rsmm.errors import CheckpointError

#: Name of a checkpoint that a signal asked for; it goes when the next regular one is written.
PAUSED = 'paused_iter_{}.pth'
_TRAINING = re.compile(r'(?:epoch|iter|paused_iter)_(\d+)\.pth')
_BEST = re.compile(r'best_(?P<name>.+)_(?:epoch|iter)_(?P<step>\d+)\.pth')


def newest_checkpoint(folder: str | Path, intact: bool = False) -> Path | None:
    """Return the checkpoint that ``--resume`` goes on from, None where there is none.

    That is the one ``last_checkpoint`` names. Where that file is missing, damaged or names nothing
    that is there (a run killed between its first checkpoint and the pointer), it is the
    training checkpoint written last: each appears under its name only once it is complete.

    Args:
        folder: Work folder.
        intact: Pass over files that are damaged.
    """
    folder = Path(folder)
    found = [path for path in folder.glob('*.pth') if _TRAINING.fullmatch(path.name)]
    found.sort(key=lambda path: (path.stat().st_mtime_ns, _step(path)), reverse=True)
    pointed = _pointed_at(folder)
    if pointed is not None:
        found.insert(0, pointed)
    return next((path for path in found if not intact or is_intact(path)), None)


def _step(path: Path) -> int:
    return int(_TRAINING.fullmatch(path.name)[1])


def _pointed_at(folder: Path) -> Path | None:
    try:
        text = (folder / 'last_checkpoint').read_text(encoding='utf-8').strip()
        if not text:
            return None
        # The folder may have been moved after the pointer was written.
        choices = (Path(text), folder / Path(text).name)
        return next((path for path in choices if path.is_file()), None)
    except (OSError, ValueError):  # absent, or no text
        return None


def is_intact(path: str | Path) -> bool:
    """Whether a checkpoint is there and its checksums fit."""
    try:
        check_container(Path(path))
    except (CheckpointError, OSError):
        return False
    return True


def best_checkpoint(folder: str | Path, indicator: str | None = None) -> Path | None:
    """Return the newest best file of a run, None where there is none.

    Every best file was better than all before, so the one of the latest step is the best.

    Args:
        folder: Work folder.
        indicator: Metric, where the run keeps the best of several.
    """
    found = [
        (int(match['step']), path)
        for path in Path(folder).glob('best_*.pth')
        if (match := _BEST.fullmatch(path.name)) and indicator in (None, match['name'])
    ]
    return max(found)[1] if found else None


def outdated_best(folder: str | Path, indicator: str, current: str | Path | None) -> list[Path]:
    """Return best files of a metric that are not the current one."""
    name = indicator.replace('/', '_')
    return [
        path
        for path in Path(folder).glob('best_*.pth')
        if (match := _BEST.fullmatch(path.name))
        and match['name'] == name
        and (current is None or path.name != Path(current).name)
    ]
