"""Running a function in a process that is killed at a chosen moment of its writing."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

_WRITES = os.O_WRONLY | os.O_RDWR
_CHANGES = ('os.rename', 'os.remove', 'os.mkdir', 'os.rmdir', 'os.link', 'os.symlink')


def run_killed(work: Callable[[], object], root: Path, moment: int | None, torn: bool) -> int:
    """Run a function in a fork that dies by SIGKILL just before its n-th change of a folder.

    Changes are files opened for writing, renamed and removed, and folders made and removed, below
    ``root``; they come from the interpreter's audit events, so nothing of the code is replaced.

    Args:
        work: What to run; what it raises is printed and fails the test.
        root: Folder whose changes count.
        moment: Which change is not made any more, from 0; None lets it finish.
        torn: Cut the file to half if the change would have renamed it, as a kill within its
            writing leaves it.

    Returns:
        Number of changes until the end or the kill.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _be_killed(work, root, moment, torn, writer)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reader) as file:
        lines = file.read().split()
    if moment is None or not os.WIFSIGNALED(status):
        assert status == 0, f'the child ended with {status}'
    else:
        assert os.WTERMSIG(status) == signal.SIGKILL
    return len(lines)


def _be_killed(work, root: Path, moment: int | None, torn: bool, writer: int) -> None:
    seen = [0]
    place = os.path.realpath(root)

    def watch(event: str, args: tuple) -> None:
        if not _is_change(event, args, place):
            return
        if seen[0] == moment:
            if torn and event == 'os.rename' and os.path.isfile(args[0]):
                os.truncate(args[0], os.path.getsize(args[0]) // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        seen[0] += 1
        os.write(writer, b'1\n')

    status = 1
    try:
        sys.addaudithook(watch)
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _is_change(event: str, args: tuple, place: str) -> bool:
    if event == 'open':
        path, _, flags = args
        if not isinstance(path, str | bytes | os.PathLike) or not (flags or 0) & _WRITES:
            return False
    elif event in _CHANGES:
        path = args[0]
    else:
        return False
    if isinstance(path, int):
        return False
    return os.path.abspath(os.fsdecode(path)).startswith(place)


def tree(folder: Path, ignored: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Return all files of a folder by name; locks are left out, temporary files are not."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file() and path.name not in ('.lock', *ignored)
    }
