"""A zoo name stands wherever a config stands, the word ``zoo`` wherever a checkpoint stands."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from rsmm.apis import build_model, entries, get_model, load_config, run, zoo_cli, zoo_files
from rsmm.apis.hub import half_weights, write_weights
from rsmm.apis.zoo_cli import zoo_main
from rsmm.errors import CheckpointError, ConfigError, DownloadError
from tests.datasets.chips import write_jpg_chips

REPO = Path(__file__).resolve().parents[2]
NAME = 'tiny_classifier'
CONFIG = """
_base_ = ['../eurosat/resnet18_scratch-12e_eurosat-rgb.py']
model = dict(
    backbone=dict(base_channels=8, stem_channels=8), head=dict(in_channels=64)
)
custom_hooks = [dict(type='EMAHook')]  # it wants to see the weights that are loaded
"""
METAFILE = """
Models:
  - Name: tiny_classifier
    Config: configs/tiny/tiny_classifier.py
    Weights: zoo/{file}
    Metadata:
      Licence: MIT
      SHA256: '{sha256}'
    Results:
      - Task: Classification
        Dataset: chips
        Metrics:
          accuracy: 12.5
"""


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """A zoo root with one small experiment whose weights lie in its ``zoo/`` folder."""
    root = tmp_path / 'root'
    shutil.copytree(REPO / 'configs', root / 'configs')
    (root / 'configs' / 'tiny').mkdir()
    (root / 'configs' / 'tiny' / f'{NAME}.py').write_text(CONFIG)
    for module in (entries, zoo_files, zoo_cli):
        monkeypatch.setattr(module, 'zoo_root', lambda: root)
    monkeypatch.setenv('RSMM_CACHE', str(tmp_path / 'cache'))
    monkeypatch.delenv('RSMM_ZOO', raising=False)
    torch.manual_seed(3)
    state = build_model(root / 'configs' / 'tiny' / f'{NAME}.py', 'random').state_dict()
    (root / 'zoo').mkdir()
    sha256 = write_weights(half_weights(state), root / 'zoo' / f'{NAME}.safetensors')
    metafile = root / 'configs' / 'tiny' / 'metafile.yml'
    metafile.write_text(METAFILE.format(file=f'{NAME}.safetensors', sha256=sha256))
    return root, state


def test_name_and_word_for_config_and_checkpoint(zoo, tmp_path):
    root, state = zoo
    assert load_config(NAME).filename == load_config(root / f'configs/tiny/{NAME}.py').filename
    for model in (
        build_model(NAME, 'zoo'),
        build_model(load_config(NAME), 'zoo'),
        get_model(NAME, pretrained=True),
    ):
        assert not model.training
        for key, value in model.state_dict().items():
            assert torch.allclose(value.float(), state[key].float(), atol=2e-3), key


@pytest.mark.parametrize('inner', ['2750', '.'])
def test_it_is_tested_on_any_folder_of_the_layout(zoo, tmp_path, inner):
    write_jpg_chips(tmp_path / 'chips', per_class=2)
    options = dict(data_root=str(tmp_path / 'chips' / inner), test_split='all', num_workers=0)
    metrics = run.test(NAME, 'zoo', work_dir=tmp_path / 'work', options=options)
    assert 0 <= metrics['accuracy/top1'] <= 100


def test_statistics_keep_their_range():
    state = {'w': torch.full((2, 2), 1.5), 'var': torch.tensor([1e6]), 'count': torch.tensor(3)}
    half = half_weights(state)
    assert half['w'].dtype == torch.float16
    assert torch.equal(half['var'], state['var'])
    assert half['count'].dtype == torch.int64


def test_close_names_are_offered(zoo):
    for call in (load_config, get_model, lambda name: build_model(name, 'zoo')):
        with pytest.raises(ConfigError, match=f"Did you mean '{NAME}'"):
            call('tiny_clasifier')


def test_no_weights_for_the_config(zoo):
    with pytest.raises(ConfigError, match='no weights have been released'):
        build_model('resnet18_scratch-12e_eurosat-rgb', 'zoo')


def test_file_that_was_changed_or_is_away(zoo, tmp_path, monkeypatch):
    root, _ = zoo
    file = root / 'zoo' / f'{NAME}.safetensors'
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b'?')
    with pytest.raises(DownloadError, match=r'sha256 is .*, expected'):
        get_model(NAME, pretrained=True)
    file.unlink()
    with pytest.raises(ConfigError, match=r'neither in .*zoo nor at a mirror.*set RSMM_ZOO'):
        get_model(NAME, pretrained=True)
    (tmp_path / 'mirror').mkdir()
    (tmp_path / 'mirror' / file.name).write_bytes(whole)
    monkeypatch.setenv('RSMM_ZOO', str(tmp_path / 'mirror'))
    assert get_model(NAME, pretrained=True) is not None


def test_weights_of_another_model(zoo):
    with pytest.raises(CheckpointError):
        get_model(NAME, pretrained=True, backbone=dict(base_channels=16, stem_channels=16))


def test_commands(zoo, tmp_path, capsys):
    root, _ = zoo

    def call(*arguments):
        status = zoo_main(arguments)
        return status, capsys.readouterr().out

    assert call('list', 'tiny_*') == (0, f'{NAME:56} here\n')
    status, shown = call('show', NAME)
    assert status == 0
    assert 'MIT' in shown
    assert 'accuracy 12.5' in shown
    assert call('verify', NAME) == (0, f'ok      {NAME}\n')
    assert '| licence | MIT |' in call('card', NAME)[1]
    (root / 'zoo' / f'{NAME}.md').write_text('# Card\n')
    assert call('card', NAME) == (0, '# Card\n')
    status, path = call('download', NAME, '--dest', str(tmp_path / 'here'))
    assert status == 0
    assert Path(path.strip()).parent == tmp_path / 'here'
    (root / 'zoo' / f'{NAME}.safetensors').write_bytes(b'x')
    status, shown = call('verify', NAME)
    assert status == 1
    assert shown.startswith(f'FAILED  {NAME}')


FINE_TUNED = """
_base_ = ['../eurosat/resnet18_scratch-12e_eurosat-rgb.py']
start = dict(type='Pretrained', checkpoint='zoo:tiny_classifier', prefix='backbone.')
model = dict(
    backbone=dict(base_channels=8, stem_channels=8, init_cfg=start), head=dict(in_channels=64)
)
"""


def test_part_of_a_model_starts_from_an_entry(zoo, tmp_path):
    root, state = zoo
    config = root / 'configs' / 'tiny' / 'fine-tuned.py'
    config.write_text(FINE_TUNED)
    # Without initialisation no file is looked for; at the start of a training it is.
    model = build_model(config)
    key = 'backbone.conv1.weight' if 'backbone.conv1.weight' in state else next(iter(state))
    assert not torch.allclose(model.state_dict()[key].float(), state[key].float(), atol=2e-3)
    started = build_model(config, 'random').state_dict()
    torch.testing.assert_close(started[key].float(), state[key].float(), atol=2e-3, rtol=0)
    settings = zoo_files.with_zoo_files(load_config(config).model)
    found = Path(settings.backbone.init_cfg.checkpoint)
    assert found == root / 'zoo' / f'{NAME}.safetensors'
    assert load_config(config).model.backbone.init_cfg.checkpoint == f'zoo:{NAME}'
    config.write_text(FINE_TUNED.replace('tiny_classifier', 'tiny_clasifier'))
    with pytest.raises(ConfigError, match=f"Did you mean '{NAME}'"):
        build_model(config, 'random')
