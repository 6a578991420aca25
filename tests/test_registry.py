import json
import subprocess
import sys

import pytest
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import DefaultScope

from rsmm import registry
from rsmm.errors import ConfigError
from rsmm.registry import DATASETS, MODELS, entry_index


def run_fresh(code: str) -> dict:
    """Run code in a new interpreter; it prints one JSON line."""
    result = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], capture_output=True)
    assert result.returncode == 0, result.stderr.decode()
    return json.loads(result.stdout.decode().splitlines()[-1])


def test_import_is_cheap_and_without_torch():
    found = run_fresh(
        'import json, sys, time\n'
        'start = time.perf_counter()\n'
        'import rsmm\n'
        'seconds = time.perf_counter() - start\n'
        'print(json.dumps(dict(seconds=seconds, torch="torch" in sys.modules)))'
    )
    assert found['seconds'] < 0.3
    assert not found['torch']


def test_classifier_imports_neither_detection_nor_segmentation():
    found = run_fresh(
        'import json, sys\n'
        'from rsmm.registry import MODELS\n'
        'MODELS.build(dict(type="mmpretrain.ResNet", depth=18))\n'
        'MODELS.build(dict(type="MultiSpectralPreprocessor"))\n'
        'import rsmm.models.selfsup.simclr\n'
        'print(json.dumps([name for name in ("mmdet", "mmseg") if name in sys.modules]))'
    )
    assert found == []


def test_every_indexed_entry_registers_when_asked_for():
    assert ('MODELS', 'MultiSpectralPreprocessor') in entry_index()
    for variable, name in entry_index():
        entry = getattr(registry, variable).get(f'rsmm.{name}')
        assert entry.__name__ == name


def test_root_registry_reaches_entries_through_the_scope():
    with DefaultScope.overwrite_default_scope('rsmm'):
        model = ROOT_MODELS.build(dict(type='MultiSpectralPreprocessor', mean=[1.0], std=[2.0]))
    assert type(model).__name__ == 'MultiSpectralPreprocessor'


def test_unknown_entry_names_the_closest():
    with pytest.raises(ConfigError, match="Did you mean 'EuroSAT'"):
        DATASETS.get('EuroSatt')


def test_unknown_entry_of_a_sibling_names_the_closest_there():
    with pytest.raises(ConfigError, match=r"Did you mean 'mmpretrain\.ResNet'"):
        MODELS.get('mmpretrain.Resnet')


def test_unknown_setting_names_the_closest():
    with pytest.raises(ConfigError, match=r"'stat' is not a setting .* Did you mean 'stats'"):
        MODELS.build(dict(type='MultiSpectralPreprocessor', stat='eurosat'))


def test_other_type_errors_are_not_disguised():
    with pytest.raises(TypeError):
        MODELS.build(dict(type='mmpretrain.ResNet', depth=18, strides=3))
