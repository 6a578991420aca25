"""Optimizers that hold only what they train."""

from __future__ import annotations

from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from torch import nn

from rsmm.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class TrainableOnlyConstructor(DefaultOptimWrapperConstructor):
    """mmengine's constructor without the frozen parameters.

    mmengine hands frozen parameters to the optimizer too: they cost memory in its state and in
    checkpoints, and count as trained in summaries.
    """

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimizer wrapper of a model; groups left empty are dropped."""
        wrapper = super().__call__(model)
        groups = wrapper.optimizer.param_groups
        for group in groups:
            group['params'] = [p for p in group['params'] if p.requires_grad]
        groups[:] = [group for group in groups if group['params']]
        return wrapper
