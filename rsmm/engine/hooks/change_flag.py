"""Keeping CACo's change flags: room before training, a new mixture after every epoch."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner

from rsmm.models.layers.wrapped import bare_model
from rsmm.registry import HOOKS


@HOOKS.register_module()
class ChangeFlagHook(Hook):
    """Size the change flags by the dataset and refresh them from the ratios after each epoch.

    Flags, ratios and which samples were seen are buffers of the model, so checkpoints carry them.
    The share of changed images and the two means of the mixture go to the log.

    Args:
        seed: Seed of the mixture's start.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def before_run(self, runner: Runner) -> None:
        """Make room before a checkpoint may be loaded into it."""
        bare_model(runner).change_flags.resize(len(runner.train_dataloader.dataset))

    def after_train_epoch(self, runner: Runner) -> None:
        """Fit the mixture; runs before the checkpoint of the epoch is written."""
        flags = bare_model(runner).change_flags
        mixture = flags.refresh(self.seed)
        if mixture is None:
            runner.logger.info('change flags: the ratios do not differ, no place counts as changed')
            return
        share = float((flags.flag == 1).float().mean())
        runner.message_hub.update_scalar('train/changed_share', share)
        runner.logger.info(
            f'change flags: {share:.1%} changed, mean ratio {mixture.means[0]:.3f} without and '
            f'{mixture.means[1]:.3f} with change, {int(flags.seen.sum())} of {len(flags)} seen'
        )
