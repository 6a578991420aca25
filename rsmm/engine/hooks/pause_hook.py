"""Leaving a training on a signal, and finishing on return what was cut off."""

from __future__ import annotations

from pathlib import Path

import torch
from mmengine.dist import all_reduce, barrier, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from rsmm.checkpoints.files import write_pointer
from rsmm.checkpoints.run_files import PAUSED
from rsmm.engine.pause import PAUSED_STATUS, Paused, requested
from rsmm.registry import HOOKS
from rsmm.utils.seams import train_loop, update_is_due

# Asking all processes costs a reduction, which makes a GPU wait for its queue.
_STEPS_BETWEEN = {'cpu': 1, 'cuda': 10}


@HOOKS.register_module()
class PauseHook(Hook):
    """Save and stop after the step in which SIGTERM or SIGUSR1 came; validate what was due.

    All processes stop after the same step, whichever of them the signal reached (on GPUs they ask
    each other every tenth step). Where gradients are accumulated the step is the next one that
    ends with an update. A signal during validation ends it at once if the state before it is on
    disk, else after it. A run resumed from a checkpoint whose validation was not over begins with
    that validation.
    """

    priority = 'LOWEST'

    def before_train(self, runner: Runner) -> None:
        """Validate if the run was stopped before or during the validation of its checkpoint."""
        if getattr(runner.train_loop, 'owes_validation', False) and runner.val_loop is not None:
            runner.logger.info('The run was stopped before this validation was over')
            runner.train_loop.validate()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        """Save and leave, if asked to."""
        every = _STEPS_BETWEEN['cuda' if torch.cuda.is_available() else 'cpu']
        if get_world_size() > 1 and (runner.iter + 1) % every:
            return
        if self._agreed() and update_is_due(runner.optim_wrapper):
            self._pause(runner)

    def before_val(self, runner: Runner) -> None:
        """Let checkpoints know that their validation is on its way."""
        if _trains(runner):
            runner.train_loop.in_validation = True

    def after_val(self, runner: Runner) -> None:
        """Let checkpoints know that it is over."""
        if _trains(runner):
            runner.train_loop.in_validation = False

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Leave, if asked to and if this validation would be repeated by the next call."""
        here = runner.epoch, runner.iter
        if _trains(runner) and runner.saved_at == here and self._agreed():
            raise Paused(_message('before validation', runner.work_dir))

    def _agreed(self) -> bool:
        """Whether any process was asked to stop; the same answer on all of them."""
        asked = requested() is not None
        if get_world_size() == 1:
            return asked
        flag = torch.tensor(float(asked))
        if torch.cuda.is_available():
            flag = flag.cuda()
        all_reduce(flag, op='max')
        return bool(flag.item())

    def _pause(self, runner: Runner) -> None:
        folder = next((h.out_dir for h in runner.hooks if hasattr(h, 'out_dir')), None)
        folder = folder or runner.work_dir
        name = PAUSED.format(runner.iter + 1)
        runner.save_checkpoint(folder, name, by_epoch=False)
        if is_main_process():
            write_pointer(runner.work_dir, Path(folder) / name)
        barrier()  # launchers stop all processes when the first one leaves
        raise Paused(_message(f'after step {runner.iter + 1}', runner.work_dir))


def _trains(runner: Runner) -> bool:
    """Whether the run is a training, and this validation a part of it."""
    return isinstance(train_loop(runner), BaseLoop)


def _message(when: str, folder: str) -> str:
    return (
        f'Paused {when} ({requested() or "signal at another process"}), status {PAUSED_STATUS}: '
        f'the same call with --resume goes on in {folder}'
    )
