"""Schedules end where the training ends, wherever its length is set."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rsmm.apis import run
from rsmm.apis.config import load_config
from tests.engine.test_runs import chips, config, options  # noqa: F401 (fixtures)

CONFIGS = Path(__file__).parents[2] / 'configs'
OWN = [
    path
    for path in sorted(CONFIGS.rglob('*.py'))
    if 'param_scheduler = ' in path.read_text(encoding='utf-8')
]


@pytest.mark.parametrize('path', OWN, ids=lambda path: path.stem)
def test_no_epoch_schedule_states_the_end_of_the_training(path: Path) -> None:
    """mmengine fills it in; a schedule that repeats it would stay at the old length."""
    settings = load_config(path)
    epochs = (settings.get('train_cfg') or {}).get('max_epochs')
    found = settings.get('param_scheduler') or []
    if epochs is None:
        return  # counted in iterations, or a base
    for schedule in [found] if isinstance(found, dict) else found:
        assert 'T_max' not in schedule
        if schedule.get('by_epoch', True):
            assert schedule.get('end') is None or schedule.end < epochs


def test_a_run_of_another_length_has_the_schedule_of_that_length(config, chips, tmp_path) -> None:  # noqa: F811
    longer = options(chips, epochs=1) | {'train_cfg.max_epochs': 2}
    run.train(config, work_dir=tmp_path / 'w', options=longer)
    state = torch.load(tmp_path / 'w/epoch_2.pth', weights_only=True)
    steps = state['meta']['iter']
    cosine = state['param_schedulers'][-1]
    assert steps == 6
    assert (cosine['begin'], cosine['end'], cosine['T_max']) == (0, steps, steps)
