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
        assert getattr(registry, variable).module_dict[name] is entry


def test_every_registered_entry_is_in_the_index():
    for variable, name in entry_index():
        getattr(registry, variable).get(f'rsmm.{name}')
    for variable in dir(registry):
        found = getattr(registry, variable)
        if isinstance(found, registry.Registry):
            own = {n for n, e in found.module_dict.items() if e.__module__.startswith('rsmm.')}
            assert own == {name for kind, name in entry_index() if kind == variable}


SOURCES = {
    '@MODELS.register_module()\nclass A: pass': [('MODELS', 'A')],
    '@MODELS.register_module()  # a comment (with brackets)\nclass A: pass': [('MODELS', 'A')],
    '@MODELS.register_module(name="Foo")\nclass A: pass': [('MODELS', 'Foo')],
    '@MODELS.register_module("Foo", True)\nclass A: pass': [('MODELS', 'Foo')],
    '@MODELS.register_module(name=["Foo", "Bar"], force=True)\nclass A: pass': [
        ('MODELS', 'Foo'),
        ('MODELS', 'Bar'),
    ],
    '@MODELS.register_module(\n    name="Foo",\n    force=(True),\n)\n@other(\n1)\ndef f(): pass': [
        ('MODELS', 'Foo')
    ],
    '@MODELS.register_module()\n@HOOKS.register_module()\nclass A: pass': [
        ('MODELS', 'A'),
        ('HOOKS', 'A'),
    ],
    'if True:\n    @MODELS.register_module()\n    class A: pass': [('MODELS', 'A')],
    '"""\n@MODELS.register_module()\nclass A: pass\n"""': [],
    '# @MODELS.register_module()\nclass A: pass': [],
}


@pytest.mark.parametrize(('source', 'entries'), SOURCES.items())
def test_registrations_are_read_from_the_source(source, entries):
    assert [entry for entry, _ in registry.registered(source)] == entries


def test_nested_modules_are_found_and_two_entries_of_one_name_are_an_error(tmp_path, monkeypatch):
    text = '@MODELS.register_module()\nclass A: pass\n'
    (tmp_path / 'deep' / 'er').mkdir(parents=True)
    (tmp_path / 'deep' / 'er' / 'x.py').write_text(text)
    (tmp_path / 'deep' / '__init__.py').write_text(text.replace('A:', 'B:'))
    monkeypatch.setattr(registry, '__file__', str(tmp_path / 'registry.py'))
    index = entry_index.__wrapped__
    assert index() == {('MODELS', 'A'): 'rsmm.deep.er.x', ('MODELS', 'B'): 'rsmm.deep'}
    (tmp_path / 'z.py').write_text(text)
    with pytest.raises(ConfigError, match=r"two entries 'A', in rsmm\.deep\.er\.x and in rsmm\.z"):
        index()
    (tmp_path / 'z.py').write_text(text.replace('()', '(force=True)'))
    assert index()['MODELS', 'A'] == 'rsmm.z'


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
