"""When SwAV's prototypes move and its queue begins."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner

from rsmm.errors import ConfigError
from rsmm.models.layers.wrapped import bare_model
from rsmm.registry import HOOKS


@HOOKS.register_module()
class SwAVScheduleHook(Hook):
    """Hold the prototypes for the first steps and start the queue at an epoch.

    Held prototypes still get gradients, which are removed before the optimizer's step; so
    distributed training needs no search for unused parameters. Settings that would hold the
    prototypes, or leave out a queue, for the whole run are reported: on small data the published
    settings do both.

    Args:
        freeze_steps: Steps during which the prototypes stay; a float counts epochs.
        queue_start_epoch: Epoch, from 0, at which the queue begins.
    """

    def __init__(self, freeze_steps: int | float = 0, queue_start_epoch: int = 0) -> None:
        self.freeze_steps = freeze_steps
        self.queue_start_epoch = queue_start_epoch

    def _loss(self, runner: Runner):
        return bare_model(runner).head.loss_module

    def _frozen_until(self, runner: Runner) -> int:
        if isinstance(self.freeze_steps, float):
            return round(self.freeze_steps * len(runner.train_dataloader))
        return self.freeze_steps

    def before_train(self, runner: Runner) -> None:
        """Arrange for held prototypes and check the settings against the length of the run."""
        loss = self._loss(runner)
        until = self._frozen_until(runner)
        queue = loss.queue.shape[1]
        batch = runner.train_dataloader.batch_size * runner.world_size
        if 0 < queue < batch:
            raise ConfigError(
                f'queue_length={queue} is shorter than a batch of {batch}',
                where='SwAVLoss',
                fix='Set a longer queue, or queue_length=0',
            )
        if until >= runner.max_iters:
            runner.logger.warning(
                f'The prototypes stay frozen for the whole run ({until} >= {runner.max_iters} '
                'steps), so nothing can be clustered: lower freeze_steps'
            )
        if queue and self.queue_start_epoch >= runner.max_epochs:
            runner.logger.warning(
                f'The queue starts at epoch {self.queue_start_epoch} of {runner.max_epochs} and '
                'is never used: lower queue_start_epoch'
            )

        def hold(*_) -> None:
            if runner.iter < until:
                loss.prototypes.weight.grad = None

        runner.optim_wrapper.optimizer.register_step_pre_hook(hold)

    def before_train_epoch(self, runner: Runner) -> None:
        """Switch the queue on when its epoch has come; a resumed run too."""
        self._loss(runner).queue_active = runner.epoch >= self.queue_start_epoch
