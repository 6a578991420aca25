"""Variables of every training config take effect."""

from __future__ import annotations

from pathlib import Path

import pytest

from rsmm.apis.config import load_config
from rsmm.apis.variables import flat

CONFIGS = Path(__file__).parents[2] / 'configs'
#: Per variable a value that no config has, and where it must arrive.
VARIABLES = {
    'batch_size': (7, ('train_dataloader', 'batch_size')),
    'epochs': (7, ('train_cfg', 'max_epochs')),
    'num_workers': (7, ('train_dataloader', 'num_workers')),
    'data_root': ('/elsewhere', ('train_dataloader', 'dataset', 'data_root')),
}
#: Datasets that hold others: where those stand.
WRAPPED = {'RepeatDataset': (('dataset',),), 'TwoStreams': (('labelled',), ('unlabelled',))}
TRAINING = [
    pytest.param(path, id=f'{path.parent.name}/{path.stem}')
    for path in sorted(CONFIGS.rglob('*.py'))
    if '_base_' not in path.parts and load_config(path).get('train_cfg') is not None
]


@pytest.mark.parametrize('path', TRAINING)
def test_variables_of_a_training_config_take_effect(path: Path) -> None:
    defined = set(load_config(path))
    options = {name: value for name, (value, _) in VARIABLES.items() if name in defined}
    assert {'epochs', 'data_root'} <= set(options) or 'max_iters' in load_config(path).train_cfg
    leaves = dict(flat(load_config(path, options)))
    for name in options:
        value, place = VARIABLES[name]
        places = [place]
        if name == 'data_root':
            within = WRAPPED.get(leaves['train_dataloader', 'dataset', 'type'], ((),))
            places = [(*place[:2], *part, 'data_root') for part in within]
        assert [leaves[place] for place in places] == [value] * len(places), name


def test_queue_and_batch_of_moco_follow_the_option() -> None:
    config = load_config(CONFIGS / 'moco/moco-v2_resnet18_20e_eurosat-rgb.py', {'batch_size': 8})
    assert config.train_dataloader.batch_size == 8
    assert config.model.queue_len % 8 == 0
