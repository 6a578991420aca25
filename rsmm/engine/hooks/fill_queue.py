"""Filling the queue with keys of real images before the first step."""

from __future__ import annotations

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from rsmm.models.layers.wrapped import bare_model
from rsmm.registry import HOOKS


@HOOKS.register_module()
class FillQueueHook(Hook):
    """Start with keys of the first view of training images instead of random vectors.

    SACo fills its queue so, with images that are not augmented. Costs one forward of the key
    encoder per queue entry. A resumed run keeps its queue.
    """

    @torch.no_grad()
    def before_train(self, runner: Runner) -> None:
        """Encode training batches until every entry is replaced."""
        if runner.iter:
            return
        model = bare_model(runner).train()
        filled = 0
        while filled < model.queue_len:
            for batch in runner.train_dataloader:
                views = model.data_preprocessor(batch, True)['inputs']
                keys = model.encode_keys(views[:1])
                model.enqueue([in_space[0] for in_space in keys])
                filled += len(keys[0][0])
                if filled >= model.queue_len:
                    break
        runner.logger.info(f'queue filled with {filled} keys of training images')
