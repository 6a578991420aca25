"""mmengine's training loops, able to go on in the middle of an epoch and before a validation."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.runner import EpochBasedTrainLoop as MMEngineEpochLoop
from mmengine.runner import IterBasedTrainLoop as MMEngineIterLoop

from rsmm.errors import ConfigError
from rsmm.registry import LOOPS
from rsmm.utils.seams import all_loops


class _Resumable:
    """What both loops note in a checkpoint and take up again.

    Attributes:
        owes_validation: The resumed checkpoint was written before its validation was over.
        in_validation: A validation of this loop is running.
    """

    owes_validation = False
    in_validation = False
    # Of the loop of mmengine's that it is mixed into.
    runner: Any
    val_begin: int
    dynamic_milestones: Any
    dynamic_intervals: Any
    _decide_current_val_interval: Any

    def position(self, epoch: int, step: int) -> dict:
        """Return what a checkpoint at this epoch and step has to remember."""
        return {
            'validation_due': not self.in_validation and self._validates_at(epoch, step),
            **self._within_epoch(epoch, step),
        }

    def go_to(self, meta: dict) -> None:
        """Take up the position that a checkpoint remembers.

        Raises:
            ConfigError: It lies within an epoch that now has another number of steps.
        """
        self._epoch, self._iter = meta['epoch'], meta['iter']
        self.owes_validation = bool(meta.get('validation_due', False))

    def validate(self) -> None:
        """Run the validation that is due."""
        self.owes_validation = False
        self._decide_current_val_interval()
        self.runner.val_loop.run()

    def _within_epoch(self, epoch: int, step: int) -> dict:
        return {}

    def _validates_at(self, epoch: int, step: int) -> bool:
        raise NotImplementedError

    def _due(self, count: int, last: int) -> bool:
        if all_loops(self.runner)[1] is None or count < max(1, self.val_begin):
            return False
        place = bisect.bisect(self.dynamic_milestones, count + 1)
        return count % self.dynamic_intervals[place - 1] == 0 or count == last


@LOOPS.register_module()
class EpochBasedTrainLoop(_Resumable, MMEngineEpochLoop):
    """mmengine's loop over epochs; a run may go on after any step of one.

    The sampler starts at the step's first sample where it can (``skip_in_epoch``), else the batches
    before are loaded and left out. Arguments are mmengine's.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._done = 0  # steps of the current epoch that the resumed run has behind it
        self._begun: int | None = None  # step at which the current epoch began

    dataloader: Any

    def run_epoch(self) -> None:
        """Do what is left of the epoch."""
        self._begun = self._iter - self._done
        loader: Any = self.dataloader
        if self._done:
            self.dataloader = Rest(loader, self._done)
        try:
            super().run_epoch()
        finally:
            self.dataloader = loader
        self._done, self._begun = 0, None

    def run_iter(self, idx: int, data_batch: Sequence[dict]) -> None:
        """Do one step; hooks see its number within the whole epoch."""
        super().run_iter(idx + self._done, data_batch)

    def go_to(self, meta: dict) -> None:
        """Take up a position, which may lie within an epoch."""
        super().go_to(meta)
        self._done = meta.get('epoch_step', 0)
        length = meta.get('epoch_length')
        if self._done and length != len(self.dataloader):
            raise ConfigError(
                f'the run stopped after {self._done} of {length} steps of an epoch, which now has '
                f'{len(self.dataloader)}',
                where='train_dataloader',
                fix='Resume with the same batch size and number of processes, or from the last '
                'epoch_*.pth: --resume FILE',
            )

    def _within_epoch(self, epoch: int, step: int) -> dict:
        if self._begun is None or epoch != self._epoch:
            return {}
        return {'epoch_step': step - self._begun, 'epoch_length': len(self.dataloader)}

    def _validates_at(self, epoch: int, step: int) -> bool:
        within = self._begun is not None and epoch == self._epoch
        return not within and self._due(epoch, self.max_epochs)


class Rest:
    """A loader without its first batches, as long as the whole.

    With a sampler that cannot skip these are loaded and left out; what a pipeline then draws from
    the ambient generators differs from an unbroken run. rsmm's samplers can.

    Args:
        loader: The whole.
        skipped: Batches to leave out.
    """

    def __init__(self, loader: Any, skipped: int) -> None:
        self.loader, self.skipped = loader, skipped

    def __len__(self) -> int:
        return len(self.loader)

    def __getattr__(self, name: str):
        return getattr(self.loader, name)

    def __iter__(self) -> Iterator:
        sampler = getattr(self.loader, 'sampler', None)
        if hasattr(sampler, 'skip_in_epoch') and self.loader.batch_size:
            sampler.skip_in_epoch(self.skipped * self.loader.batch_size)
            yield from self.loader
            return
        for number, batch in enumerate(self.loader):
            if number >= self.skipped:
                yield batch


@LOOPS.register_module()
class IterBasedTrainLoop(_Resumable, MMEngineIterLoop):
    """mmengine's loop over steps, which knows what it owes. Arguments are mmengine's."""

    def _validates_at(self, epoch: int, step: int) -> bool:
        return self._due(step, self.max_iters)
