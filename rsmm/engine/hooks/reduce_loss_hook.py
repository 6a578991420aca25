"""Logged losses that mean the same on any number of processes."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook

from rsmm.registry import HOOKS


@HOOKS.register_module()
class ReduceLossHook(Hook):
    """Average the losses of a training step over the processes before they are logged.

    mmengine logs those of the first process, which saw only its share of the global batch.
    """

    priority = 'HIGHEST'  # before RuntimeInfoHook notes them

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if get_world_size() == 1 or not outputs:
            return
        names = sorted(name for name, value in outputs.items() if torch.is_tensor(value))
        values = torch.stack([outputs[name].detach().float().mean() for name in names])
        all_reduce(values, op='mean')
        outputs.update(zip(names, values, strict=True))
