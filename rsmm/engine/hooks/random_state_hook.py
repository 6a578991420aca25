"""Random numbers of the training process as a function of seed, step and rank."""

from __future__ import annotations

import random

import numpy as np
import torch
from mmengine.hooks import Hook

from rsmm.datasets.seeded import derive_seed
from rsmm.registry import HOOKS


@HOOKS.register_module()
class RandomStateHook(Hook):
    """Seed all generators before each training step from the run's seed, the step and the rank.

    Dropout, key shuffling, Mixup (which draws from NumPy) and every other draw inside the model
    then repeat exactly after a resume, with no generator state to save.
    """

    priority = 'VERY_HIGH'

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        seed = derive_seed(runner.seed, runner.iter, runner.rank)
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
