"""Growing images: quick epochs on small ones first, the last epochs on those of the test."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from rsmm.errors import ConfigError
from rsmm.registry import HOOKS


@HOOKS.register_module()
class InputSizeHook(Hook):
    """Set ``model.input_size`` for training by epoch; validation and test use the model's own.

    The size depends on the epoch alone, so a resumed run goes on with the right one.

    Args:
        sizes: Edge in pixels from an epoch on, ``{0: 64, 8: 96}``, epochs counted from 0; keys may
            be strings.

    Raises:
        ConfigError: Epoch 0 has no size, or the model has no ``input_size``.
    """

    def __init__(self, sizes: dict[int | str, int]) -> None:
        self.sizes = {int(epoch): int(size) for epoch, size in sizes.items()}
        if 0 not in self.sizes:
            raise ConfigError('the first epoch, 0, has no size', where='InputSizeHook')
        self._own: int | None = None

    def size_at(self, epoch: int) -> int:
        """Return the edge in pixels that epoch ``epoch`` trains with."""
        return self.sizes[max(first for first in self.sizes if first <= epoch)]

    def before_train(self, runner) -> None:
        """Remember the size that the model is tested with."""
        model = _bare(runner.model)
        if not hasattr(model, 'input_size'):
            raise ConfigError(
                f'{type(model).__name__} has no input_size',
                where='InputSizeHook',
                fix="Use model=dict(type='ChipClassifier', ...)",
            )
        self._own = model.input_size

    def before_train_epoch(self, runner) -> None:
        """Set the size of this epoch."""
        _bare(runner.model).input_size = self.size_at(runner.epoch)

    def after_train_epoch(self, runner) -> None:
        """Give the model its own size back, for validation."""
        _bare(runner.model).input_size = self._own


def _bare(model):
    return model.module if is_model_wrapper(model) else model
