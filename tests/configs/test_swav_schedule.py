"""The learning rate of the published SwAV run, step by step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.optim import CosineAnnealingLR

from rsmm.apis.config import load_config

CONFIG = Path(__file__).parents[2] / 'configs/swav/swav_resnet50_paper-15e_tiles.py'
#: Of the study's log: 15 epochs of 184 steps.
LOGGED = {0: 0.6, 2208: 0.0627, 2258: 0.0532, 2392: 0.0317, 2576: 0.0125, 2726: 0.0062}


def test_rates_match_the_log() -> None:
    config = load_config(CONFIG)
    optimizer = torch.optim.SGD(
        torch.nn.Linear(1, 1).parameters(), config.optim_wrapper.optimizer.lr
    )
    settings = dict(config.param_scheduler[0])
    assert settings.pop('type') == 'CosineAnnealingLR'
    assert settings.pop('convert_to_iter_based')
    settings['end'] = config.train_cfg.max_epochs  # as the runner fills it in
    scheduler = CosineAnnealingLR.build_iter_from_epoch(optimizer, **settings, epoch_length=184)
    found = {}
    for step in range(2760):
        if step in LOGGED:
            found[step] = optimizer.param_groups[0]['lr']
        optimizer.step()
        scheduler.step()
    assert found == pytest.approx(LOGGED, abs=6e-5)
