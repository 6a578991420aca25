"""A progress bar instead of log lines on the screen."""

from __future__ import annotations

from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from rsmm.registry import HOOKS
from rsmm.utils.progress import progress_bar


@HOOKS.register_module()
class ProgressHook(Hook):
    """Show how far a training is, with its loss, as one bar on stderr.

    Args:
        description: What is being trained.
    """

    def __init__(self, description: str = 'Training') -> None:
        self.description = description
        self.bar: Any = None

    def before_train(self, runner) -> None:
        if is_main_process():
            self.bar = progress_bar()
            self.task = self.bar.add_task(self.description, total=runner.max_iters)
            self.bar.start()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if self.bar is not None:
            loss = f'{self.description}, loss {outputs["loss"].item():.3f}'
            self.bar.update(self.task, advance=1, description=loss)

    def after_run(self, runner) -> None:
        if self.bar is not None:
            self.bar.stop()

    after_train = after_run
