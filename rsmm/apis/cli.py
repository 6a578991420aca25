"""Command lines of ``tools/train.py`` and ``tools/test.py``; light until a command runs."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence

from mmengine.config import DictAction

from rsmm.engine.launch import say_last
from rsmm.engine.launchers import LAUNCHERS
from rsmm.errors import RsmmError
from rsmm.utils.outputs import keep_arguments

INTERRUPTED = 130


def guarded(command: Callable[[], object]) -> int:
    """Run a command; print an rsmm error in one line instead of a traceback.

    Returns:
        The exit status: 0, 1 for an error the user can mend, 130 after Ctrl-C. A training paused by
        a signal leaves with 75 (:class:`rsmm.engine.pause.Paused`).
    """
    try:
        command()
    except KeyboardInterrupt:
        print('Interrupted.', file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        known = _find_rsmm_error(error)
        if known is None or os.environ.get('RSMM_DEBUG'):
            say_last(f'{type(error).__name__}: {error}')
            raise
        text = f'{type(known).__name__}: {_without_worker(known)}'
        say_last(text)
        print(text, file=sys.stderr)
        print('(RSMM_DEBUG=1 shows the traceback)', file=sys.stderr)
        return 1
    return 0


@contextlib.contextmanager
def short_warnings() -> Iterator[None]:
    """Print warnings in one line each: the place in the source says nothing to the user."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: print(f'Warning: {message}', file=sys.stderr)
        yield


def _find_rsmm_error(error: BaseException | None) -> RsmmError | None:
    """Follow the causes: builders and loader workers wrap the error that matters."""
    while error is not None:
        if isinstance(error, RsmmError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _without_worker(error: RsmmError) -> str:
    """Return the message of an error alone: torch puts the traceback of a loader worker into it."""
    text = str(error)
    if 'Original Traceback' not in text:
        return text
    return text.rpartition(f'{type(error).__name__}: ')[2].strip()


def _common_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    parser.add_argument(
        '--amp', action='store_true', help='mixed precision where the device has it'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override config settings, e.g. data_root=data/eurosat optim_wrapper.optimizer.lr=0.1',
    )
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none')
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='load checkpoints that carry code; only for files whose origin you trust',
    )
    # Older launchers pass the rank as an argument.
    parser.add_argument('--local-rank', '--local_rank', type=int, default=0, help=argparse.SUPPRESS)


def _apply_environment(args: argparse.Namespace) -> None:
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    if args.trust_checkpoint:
        os.environ['RSMM_TRUST_CHECKPOINT'] = '1'


def train_main(argv: Sequence[str] | None = None) -> int:
    """Entry of ``tools/train.py``."""
    parser = argparse.ArgumentParser(description='Train the experiment of a config.')
    parser.add_argument('config', help='config file, or a name of the zoo')
    parser.add_argument(
        '--resume',
        nargs='?',
        const=True,
        default=False,
        metavar='CKPT',
        help='go on from a checkpoint; without a value from the newest in the work folder',
    )
    parser.add_argument(
        '--auto-scale-lr', action='store_true', help='scale the learning rate by the batch size'
    )
    _common_arguments(parser)
    args = parser.parse_args(argv)
    _apply_environment(args)

    def command() -> None:
        from rsmm.apis import run

        run.train(
            args.config,
            work_dir=args.work_dir,
            resume=args.resume,
            amp=args.amp,
            auto_scale_lr=args.auto_scale_lr,
            options=args.cfg_options,
            launcher=args.launcher,
        )

    return guarded(command)


def test_main(argv: Sequence[str] | None = None) -> int:
    """Entry of ``tools/test.py``."""
    parser = argparse.ArgumentParser(description='Test a checkpoint on the test data of a config.')
    parser.add_argument('config', help='config file, or a name of the zoo')
    parser.add_argument('checkpoint', help="file or URL; 'zoo' or 'random'")
    parser.add_argument('--out', help='write predictions to this .json or .pkl file')
    parser.add_argument('--show-dir', help='write a picture of each prediction into this folder')
    parser.add_argument('--tta', action='store_true', help='test-time augmentation')
    _common_arguments(parser)
    args = parser.parse_args(argv)
    _apply_environment(args)

    def command() -> None:
        keep_arguments(args)
        from rsmm.apis import run

        run.test(
            args.config,
            args.checkpoint,
            work_dir=args.work_dir,
            out=args.out,
            show_dir=args.show_dir,
            tta=args.tta,
            amp=args.amp,
            options=args.cfg_options,
            launcher=args.launcher,
        )

    return guarded(command)
