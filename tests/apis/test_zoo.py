from __future__ import annotations

import functools
import shutil
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
import yaml
from modelindex.load_model_index import load as load_model_index

from rsmm.apis import entries, get_model, list_models, publish, zoo_files
from rsmm.apis.metafile import count_parameters, draft_entries, draft_main
from rsmm.checkpoints.files import save_checkpoint_file
from rsmm.errors import CheckpointError, ConfigError, DownloadError

REPO = Path(__file__).resolve().parents[2]
SUPERVISED = 'resnet18_scratch-12e_eurosat-rgb'
METAFILES = sorted((REPO / 'configs').glob('*/metafile.yml'))
MODELS = {
    model['Name']: model
    for path in METAFILES
    for model in yaml.safe_load(path.read_text(encoding='utf-8'))['Models']
}


def test_every_experiment_is_listed_and_described():
    folders = {path.parent.parent for path in (REPO / 'configs').glob('*/*.py')}
    configs = {path.stem for path in (REPO / 'configs').glob('[!_]*/**/*.py')}
    assert folders == {REPO / 'configs'}
    assert list_models() == sorted(MODELS)
    own = {name for name in MODELS if 'Converter' not in MODELS[name]['Metadata']}
    assert own == configs, 'each config needs an entry in the metafile.yml of its folder'


@pytest.mark.parametrize('name', MODELS)
def test_metafile_entry_is_true(name):
    entry = MODELS[name]
    config = REPO / entry['Config']
    assert config.is_file()
    assert name == name.lower()  # mim compares lower-cased names
    assert 'Converter' in entry['Metadata'] or config.stem == name
    assert entry['Metadata']['Parameters'] == count_parameters(name)


def test_mims_reader_accepts_the_index():
    index = load_model_index(str(REPO / 'model-index.yml'))
    assert {model.name for model in index.models} == set(MODELS)
    names = {collection.name for collection in index.collections}
    assert {model.in_collection for model in index.models} <= names
    assert index.check_errors == set()


def test_patterns():
    assert SUPERVISED in list_models('resnet18*rgb')
    assert list_models('resnet18*rgb') == sorted(list_models('resnet18*rgb'))
    assert list_models('nothing*') == []


def test_listing_does_not_import_torch():
    code = (
        'import sys; from rsmm.apis import list_models; list_models();'
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, '-c', code], check=True, cwd=REPO)


def test_random_model_with_other_settings():
    net = get_model(SUPERVISED, head=dict(num_classes=4))
    assert net.head.fc.out_features == 4
    assert net.training


def test_unknown_names():
    with pytest.raises(ConfigError, match=f"Did you mean '{SUPERVISED}'"):
        get_model('resnet18_scratch-12e_eurosat_rgb')
    with pytest.raises(ConfigError, match='no such config'):
        get_model('nowhere/x.py')


def test_no_released_weights():
    with pytest.raises(ConfigError, match=r'no weights have been released.*pretrained=PATH'):
        get_model(SUPERVISED, pretrained=True)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A published checkpoint of a model whose weights are known."""
    folder = tmp_path_factory.mktemp('trained')
    torch.manual_seed(1)
    net = get_model(SUPERVISED)
    save_checkpoint_file({'state_dict': net.state_dict(), 'optimizer': {}}, folder / 'epoch.pth')
    return net, publish(folder / 'epoch.pth', folder, name='net')


def test_weights_from_a_path(trained):
    net, published = trained
    config = entries.find_model(SUPERVISED).config
    loaded = get_model(config, pretrained=published.path)
    assert not loaded.training
    for key, value in net.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value), key


def test_weights_of_another_model(trained):
    other = 'resnet50_scratch-12e_eurosat-rgb'
    with pytest.raises(CheckpointError, match=r'looks like ResNet-18 .*, the model like ResNet-50'):
        get_model(other, pretrained=trained[1].path)


@pytest.fixture
def released(trained, tmp_path, monkeypatch):
    """A copy of the zoo in which one experiment has weights on a server; yields its metafile."""
    _, published = trained
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(published.path.parent))
    monkeypatch.setattr(SimpleHTTPRequestHandler, 'log_message', lambda *_: None)
    monkeypatch.setenv('RSMM_CACHE', str(tmp_path / 'cache'))
    monkeypatch.delenv('http_proxy', raising=False)
    server = ThreadingHTTPServer(('127.0.0.1', 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    root = tmp_path / 'root'
    shutil.copytree(REPO / 'configs', root / 'configs')
    monkeypatch.setattr(entries, 'zoo_root', lambda: root)
    monkeypatch.setattr(zoo_files, 'zoo_root', lambda: root)
    metafile = root / 'configs' / 'eurosat' / 'metafile.yml'
    content = yaml.safe_load(metafile.read_text())
    entry = next(model for model in content['Models'] if model['Name'] == SUPERVISED)
    entry['Weights'] = f'http://127.0.0.1:{server.server_address[1]}/{published.path.name}'
    entry['Metadata']['SHA256'] = published.sha256
    metafile.write_text(yaml.safe_dump(content))
    yield metafile
    server.shutdown()
    server.server_close()


def test_released_weights(trained, released, tmp_path):
    net, published = trained
    entry = entries.find_model(SUPERVISED)
    assert entry.sha256 == published.sha256
    assert entry.metadata['Training Data'] == 'EuroSAT'  # from the collection
    loaded = get_model(SUPERVISED, pretrained=True)
    assert torch.equal(loaded.head.fc.weight, net.head.fc.weight)
    assert list((tmp_path / 'cache').rglob(published.path.name))
    by_address = get_model(SUPERVISED, pretrained=entry.weights)
    assert torch.equal(by_address.head.fc.weight, net.head.fc.weight)


def test_released_weights_with_another_hash(trained, released):
    released.write_text(released.read_text().replace(trained[1].sha256, 'a' * 64))
    with pytest.raises(DownloadError, match='expected aaaa'):
        get_model(SUPERVISED, pretrained=True)


def test_hash_that_yaml_takes_for_a_number(trained, released):
    released.write_text(released.read_text().replace(trained[1].sha256, '0' * 64))
    with pytest.raises(ConfigError, match='Put it in quotes'):
        list_models()


def test_configs_of_one_name(tmp_path):
    for folder in ('_base_', 'a', 'b'):
        (tmp_path / 'configs' / folder).mkdir(parents=True)
    for folder in ('a', 'b'):
        (tmp_path / 'configs' / folder / 'x.py').write_text('')
    with pytest.raises(ConfigError, match='same name'):
        entries.zoo_entries(tmp_path)


def test_broken_metafile(tmp_path):
    (tmp_path / 'configs' / 'a').mkdir(parents=True)
    (tmp_path / 'configs' / 'a' / 'metafile.yml').write_text('Models: [')
    with pytest.raises(ConfigError, match=r'metafile\.yml: is not valid YAML'):
        entries.zoo_entries(tmp_path)


def test_drafted_entry(released, capsys):
    content = yaml.safe_load(released.read_text())
    content['Models'] = [model for model in content['Models'] if model['Name'] != SUPERVISED]
    released.write_text(yaml.safe_dump(content))
    (entry,) = yaml.safe_load(draft_entries(released.parent))
    assert entry['Config'] == f'configs/eurosat/{SUPERVISED}.py'
    assert entry['Metadata'] == {'Epochs': 12, 'Parameters': 11200874}
    assert draft_main([str(released.parent / 'none')]) == 1
    assert 'no experiments' in capsys.readouterr().err
