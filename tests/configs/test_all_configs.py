"""What holds for every config of the tree."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from rsmm.apis.config import KNOWN_KEYS, load_config, model_settings
from rsmm.registry import MODELS

CONFIGS = Path(__file__).parents[2] / 'configs'
EXPERIMENTS = [
    pytest.param(path, id=f'{path.parent.name}/{path.stem}')
    for path in sorted(CONFIGS.rglob('*.py'))
    if '_base_' not in path.parts
]


def depth(path: Path) -> int:
    """Levels of inheritance, a config without bases being one."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', '') == '_base_':
            bases = ast.literal_eval(node.value)
            bases = [bases] if isinstance(bases, str) else bases
            return 1 + max(depth(path.parent / base) for base in bases if '::' not in base)
    return 1


@pytest.mark.parametrize('path', EXPERIMENTS)
def test_loads_and_survives_a_round_trip(path: Path, tmp_path: Path) -> None:
    config = load_config(path)
    assert config.default_scope == 'rsmm'
    config.dump(tmp_path / 'dumped.py')
    assert Config.fromfile(tmp_path / 'dumped.py').to_dict() == config.to_dict()
    assert config.to_dict() == Config.fromfile(path).to_dict()


@pytest.mark.parametrize('path', EXPERIMENTS)
def test_is_short_and_shallow(path: Path) -> None:
    assert depth(path) <= 4  # the experiment over at most three levels of bases
    assert len(path.read_text().splitlines()) <= 60


@pytest.mark.parametrize('path', EXPERIMENTS)
def test_model_builds(path: Path) -> None:
    config = load_config(path)
    for part in ('backbone', 'encoder'):
        if isinstance(config.model.get(part), dict):
            config.model[part].init_cfg = None
    init_default_scope('rsmm')
    model = MODELS.build(model_settings(config))
    assert sum(parameter.numel() for parameter in model.parameters()) > 0


def test_known_keys_cover_what_the_runner_reads() -> None:
    settings = set(inspect.signature(Runner.__init__).parameters) - {'self', 'cfg'}
    assert settings <= KNOWN_KEYS
