"""Keeping two runs out of one folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from rsmm.errors import ConfigError

LOCK = '.lock'


@contextlib.contextmanager
def hold_folder(folder: str | os.PathLike, enabled: bool = True) -> Iterator[None]:
    """Hold an exclusive lock on ``folder`` while the block runs.

    The lock goes with the process, so a killed run leaves nothing to clean up.

    Args:
        folder: Existing folder.
        enabled: False for processes that share the folder with the one that locks it.

    Raises:
        ConfigError: Another process holds it.
    """
    if not enabled:
        yield
        return
    try:
        import fcntl
    except ImportError:  # not a POSIX system: no lock to take
        yield
        return
    with (Path(folder) / LOCK).open('a+') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise ConfigError(
                f'another run is writing here (process {file.read().strip() or "unknown"})',
                where=folder,
                fix='Give this run its own --work-dir',
            ) from error
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextlib.contextmanager
def fresh_folder(folder: str | os.PathLike) -> Iterator[None]:
    """Make a folder for the block; one that was not there goes again if the block fails at once.

    Args:
        folder: Made with its parents. Once it holds more than the lock it stays.
    """
    path = Path(folder)
    new = not path.exists()
    path.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        if new and {entry.name for entry in path.iterdir()} <= {LOCK}:
            (path / LOCK).unlink(missing_ok=True)
            path.rmdir()
        raise
