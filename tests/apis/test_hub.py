"""Folders in the layout of the Hugging Face hub, written and read back through its protocol."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
import yaml

from rsmm.apis import get_model
from rsmm.apis.converting_cli import publish_main
from rsmm.apis.hub import write_folder
from rsmm.checkpoints.files import save_checkpoint_file
from rsmm.errors import CheckpointError, ConfigError, DownloadError
from rsmm.utils import sha256_file

NAME = 'resnet18_scratch-12e_eurosat-rgb'
COMMIT = '0123456789abcdef0123456789abcdef01234567'


class Hub(BaseHTTPRequestHandler):
    """``/<owner>/<name>/resolve/<revision>/<file>``; large files are redirected to a store."""

    def log_message(self, *_) -> None:
        pass

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        parts = self.path.strip('/').split('/')
        if parts[0] == 'store':
            self.answer(self.server.files[parts[1]])
        elif parts[:3] != ['org', 'net', 'resolve'] or parts[3] not in ('main', COMMIT):
            self.send_error(404)
        elif parts[4] == 'model.safetensors':
            self.send_response(302)
            self.send_header('Location', self.server.store or f'/store/{parts[4]}')
            self.send_header('X-Repo-Commit', COMMIT)
            self.send_header('Content-Length', '0')
            self.end_headers()
        else:
            self.answer(self.server.files[parts[4]])

    def answer(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header('ETag', f'"{len(content)}"')
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp('hub')
    torch.manual_seed(5)
    net = get_model(NAME)
    save_checkpoint_file({'state_dict': net.state_dict()}, path / 'epoch.pth')
    (path / 'card.md').write_text('# A net\n')
    arguments = ['--folder', '--config', NAME, '--card', str(path / 'card.md')]
    assert publish_main([str(path / 'epoch.pth'), str(path / 'net'), *arguments]) == 0
    return net, path / 'net'


@pytest.fixture
def hub(folder, tmp_path, monkeypatch):
    server = ThreadingHTTPServer(('127.0.0.1', 0), Hub)
    server.requests, server.store = [], None
    server.files = {path.name: path.read_bytes() for path in folder[1].iterdir()}
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.delenv('http_proxy', raising=False)
    monkeypatch.setenv('RSMM_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setenv('HF_ENDPOINT', f'http://127.0.0.1:{server.server_address[1]}')
    yield server
    server.shutdown()
    server.server_close()


def test_layout(folder):
    assert sorted(path.name for path in folder[1].iterdir()) == [
        'README.md',
        'config.json',
        'model.safetensors',
    ]
    assert (folder[1] / 'README.md').read_text() == '# A net\n'
    about = json.loads((folder[1] / 'config.json').read_text())
    assert about['model']['type'] == 'mmpretrain.ImageClassifier'
    assert about['name'] == NAME


@pytest.mark.parametrize('revision', ['', '@main', f'@{COMMIT}'])
def test_read_back(folder, hub, revision):
    model = get_model(f'hf://org/net{revision}')
    assert not model.training
    for key, value in folder[0].state_dict().items():
        assert torch.equal(model.state_dict()[key], value), key
    asked = revision.removeprefix('@') or 'main'
    assert hub.requests[0] == f'/org/net/resolve/{asked}/config.json'
    count = len(hub.requests)
    get_model(f'hf://org/net{revision}')
    assert len(hub.requests) == count, 'the cache is not used'


def test_half_precision_keeps_the_outputs(folder, tmp_path):
    write_folder(NAME, folder[1].parent / 'epoch.pth', tmp_path / 'half', half=True)
    small = (tmp_path / 'half' / 'model.safetensors').stat().st_size
    assert small < 0.52 * (folder[1] / 'model.safetensors').stat().st_size


def test_hashes(hub):
    hub.files['model.safetensors'] = hub.files['model.safetensors'][:-1] + b'?'
    with pytest.raises(DownloadError, match='expected'):
        get_model('hf://org/net')


def test_other_hash_wanted(hub):
    with pytest.raises(DownloadError, match='expected bbbbbbbb'):
        get_model('hf://org/net', sha256='b' * 64)


def test_redirect_to_a_file_is_refused(hub, tmp_path):
    (tmp_path / 'secret').write_text('secret')
    hub.store = f'file://{tmp_path}/secret'
    with pytest.raises(DownloadError):
        get_model('hf://org/net')


@pytest.mark.parametrize('spec', ['hf://net', 'hf://a/b/c', 'hf://../b', 'hf://a/b@x/y'])
def test_addresses_that_are_none(spec, hub):
    with pytest.raises((ConfigError, DownloadError)):
        get_model(spec)


def test_no_such_model(hub):
    with pytest.raises(DownloadError, match='404'):
        get_model('hf://org/other')


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'<html>', 'not JSON'),
        (b'{"architectures": ["ResNet"]}', 'describes no model of rsmm'),
        (b'{"model": {"type": "os.system"}}', 'not an entry'),
        (b'{"model": {"type": "builtins.exec"}}', 'not an entry'),
        (b'{"model": {"type": "mmengine.load", "file": "x.pkl"}}', 'not an entry'),
        (b'{"model": {"type": "antigravity"}}', 'not an entry'),
        (b'{"model": {"type": "A", "x": [{"type": {"a": 1}}]}}', 'not an entry'),
    ],
)
def test_configs_that_are_none(content, message, hub):
    hub.files['config.json'] = content
    with pytest.raises(ConfigError, match=message):
        get_model('hf://org/net')


def test_weights_of_another_model(folder, hub):
    about = json.loads(hub.files['config.json'])
    about['model']['head']['num_classes'] = 4
    hub.files['config.json'] = json.dumps(about).encode()
    with pytest.raises(CheckpointError, match='of another shape'):
        get_model('hf://org/net')


def test_file_for_the_zoo_folder(folder, tmp_path, capsys):
    checkpoint = str(folder[1].parent / 'epoch.pth')
    card = str(folder[1] / 'README.md')
    arguments = ['--zoo', '--config', NAME, '--half', '--card', card]
    assert publish_main([checkpoint, str(tmp_path / 'zoo'), *arguments]) == 0
    (file,) = (tmp_path / 'zoo').glob('*.safetensors')
    sha256 = sha256_file(file)
    assert file.name == f'{NAME}-{sha256[:8]}.safetensors'
    entry = yaml.safe_load(capsys.readouterr().out)[0]
    assert entry['Weights'] == f'zoo/{file.name}'
    assert entry['Metadata']['SHA256'] == sha256
    assert (tmp_path / 'zoo' / f'{NAME}.md').read_text() == '# A net\n'
    model = get_model(NAME, pretrained=file)
    assert torch.allclose(model.head.fc.weight, folder[0].head.fc.weight, atol=1e-3)
