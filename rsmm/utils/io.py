"""Writing files so that a crash never leaves half of one behind."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from rsmm.utils.leftovers import SUFFIX, sweep_once, temporary_prefix


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike, mode: str = 'wb', **kwargs) -> Iterator[IO]:
    """Open a temporary file beside ``path`` and rename it into place on success.

    The data is flushed and fsynced before the rename, so readers see either the old file or the
    complete new one. On any error (a full disk, Ctrl-C) the temporary file is removed and an
    existing ``path`` stays untouched; that of a killed process goes with the next write into the
    folder.

    Args:
        path: Final file; its folder must exist.
        mode: ``'wb'`` or ``'w'``.
        **kwargs: Passed to :func:`open` (``encoding``, ``newline``).
    """
    path = Path(path)
    sweep_once(path.parent)
    handle, temporary = tempfile.mkstemp(
        prefix=temporary_prefix(path), suffix=SUFFIX, dir=path.parent
    )
    try:
        with os.fdopen(handle, mode, **kwargs) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    sync_folder(path.parent)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sync_folder(folder: Path) -> None:
    """Make the rename itself durable where the file system supports it."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sha256_file(path: str | os.PathLike) -> str:
    """Return the SHA-256 of a file as 64 hex digits, read in blocks of 1 MiB."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
