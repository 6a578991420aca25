"""Stopping a training run on a signal such that it goes on as if nothing had happened.

Slurm sends SIGTERM before it takes a machine away, and a signal of one's choice (SIGUSR1) before
time is up. A signal only sets a flag here; :class:`rsmm.engine.hooks.pause_hook.PauseHook` reads it
after the step in progress, saves and leaves by :class:`Paused`.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator

#: Exit status of a run that saved and stopped on a signal (``EX_TEMPFAIL``: call it again).
PAUSED_STATUS = 75
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class Paused(SystemExit):
    """Leaves a training run that was saved on a signal; the process ends with status 75.

    No :class:`Exception`, so that a chain that notes the failures of its runs and goes on stops,
    too.
    """

    def __init__(self, message: str) -> None:
        super().__init__(PAUSED_STATUS)
        self.message = message


class _Request:
    """The signal that has come, if any."""

    name: str | None = None


_request = _Request()


def requested() -> str | None:
    """Return the name of the signal that asks for a pause, None if none has come."""
    return _request.name


def _note(number: int, _frame: object) -> None:
    _request.name = signal.Signals(number).name


@contextlib.contextmanager
def pause_on_signals() -> Iterator[None]:
    """Note the signals during the block instead of dying of them; a pause is said on the screen.

    Outside the main thread, where Python handles no signals, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _request.name = None
    before = {number: signal.signal(number, _note) for number in SIGNALS}
    try:
        yield
    except Paused as paused:
        print(paused.message, file=sys.stderr, flush=True)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _request.name = None


def worker_keeps_going(inner: Callable[[int], object] | None, worker: int) -> None:
    """Start a loader worker that outlives the signal; schedulers send it to every process.

    A second SIGTERM ends it: that is the training process stopping a worker that hangs.

    Args:
        inner: ``worker_init_fn`` of the loader without this.
        worker: Its number.
    """
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _once)
    if inner is not None:
        inner(worker)


def _once(_number: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))


def lasting_workers(inner: Callable[[int], object] | None) -> Callable[[int], None]:
    """Return a ``worker_init_fn`` that does the same and lets signals pass."""
    return functools.partial(worker_keeps_going, inner)
