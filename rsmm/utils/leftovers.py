"""Temporary names that say whose they are, and the removal of those whose owner is dead."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import shutil
import socket
from pathlib import Path

SUFFIX = '.tmp'
_OWNED = re.compile(r'\..*\.(?P<host>[0-9a-f]{8})-(?P<pid>\d+)\.[^.]*\.tmp', re.DOTALL)


def temporary_prefix(path: str | os.PathLike) -> str:
    """Return the beginning of a hidden name beside ``path``: its name, this machine and process.

    With :data:`SUFFIX` at its end it is a name that no listing shows
    (:func:`rsmm.utils.listing.is_clutter`) and that :func:`remove_leftovers` knows.
    """
    return f'.{Path(path).name[:60]}.{_host()}-{os.getpid()}.'


def sweep_once(folder: str | os.PathLike) -> None:
    """Remove what the dead left in a folder, the first time this process writes there."""
    _swept(os.path.abspath(folder), os.getpid())


@functools.lru_cache(maxsize=4096)
def _swept(folder: str, process: int) -> None:
    with contextlib.suppress(OSError):  # the write that follows says what is wrong
        remove_leftovers(folder)


def remove_leftovers(
    folder: str | os.PathLike, *, deep: bool = False, held: bool = False
) -> list[Path]:
    """Remove what killed runs left half written.

    Args:
        folder: To look in; an absent one holds nothing.
        deep: Look in its sub-folders, too.
        held: The caller holds the folder (:func:`rsmm.utils.lock.hold_folder`), so every temporary
            file is a dead one's. Without this only those go whose process, on this machine, is
            no more.

    Returns:
        What was removed.
    """
    removed = []
    for place, folders, files in os.walk(os.fspath(folder)):
        for name in [*folders, *files]:
            if _is_leftover(name, held):
                path = Path(place, name)
                _remove(path)
                removed.append(path)
        folders[:] = [name for name in folders if not _is_temporary(name)] if deep else []
    return removed


def _is_temporary(name: str) -> bool:
    return name.startswith('.') and name.endswith(SUFFIX)


def _is_leftover(name: str, held: bool) -> bool:
    if not _is_temporary(name):
        return False
    owner = _OWNED.fullmatch(name)
    if owner is None:
        return held
    mine = int(owner['pid']) == os.getpid() and owner['host'] == _host()
    if held:
        return not mine
    return owner['host'] == _host() and not mine and not _alive(int(owner['pid']))


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
