"""torchrun whose last line is what went wrong: ``python -m rsmm.engine.launch`` and its arguments.

torchrun ends with a report of its own about every process, in which the message of the one that
failed is lost. Here the first process that fails leaves its words in a file
(:func:`rsmm.apis.cli.guarded`), and they are printed last.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rsmm.engine.pause import PAUSED_STATUS

#: Variable that names the file for the words of the first process that fails.
LAST_WORDS = 'RSMM_LAST_WORDS'


def say_last(text: str) -> None:
    """Leave a message for the end of the screen; the first process of a group to do so is heard.

    Without a launcher that listens nothing happens.
    """
    path = os.environ.get(LAST_WORDS)
    if not path:
        return
    rank = os.environ.get('RANK')
    try:
        with open(path, 'x', encoding='utf-8') as file:
            file.write(text if rank is None else f'{text} (process {rank})')
    except OSError:  # another process was first, or there is no room for words
        return


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the processes; return 0, 75 after a pause, or the status of the one that failed."""
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import main as torchrun

    with tempfile.TemporaryDirectory() as folder:
        words = Path(folder, 'words')
        os.environ[LAST_WORDS] = str(words)
        try:
            torchrun(arguments)
        except ChildFailedError as error:
            _, failure = error.get_first_failure()
            status = failure.exitcode
            if status == PAUSED_STATUS:
                return status
            told = words.read_text(encoding='utf-8') if words.is_file() else None
            print(told or _silent(failure.local_rank, status), file=sys.stderr, flush=True)
            return status if status > 0 else 128 - status
        except SignalException as error:
            number = signal.Signals(error.sigval)
            return PAUSED_STATUS if number == signal.SIGTERM else 128 + number
    return 0


def _silent(rank: int, status: int) -> str:
    if status < 0:
        name = signal.Signals(-status).name
        hint = ', perhaps for want of memory' if name == 'SIGKILL' else ''
        return f'process {rank} was ended by {name}{hint}'
    return f'process {rank} ended with status {status}; its traceback is above'


if __name__ == '__main__':
    sys.exit(main())
