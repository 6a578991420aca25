"""Every published encoder, from a file of its authors' layout on a server to a filled model.

The stand-ins have the keys, shapes, nesting and pickled extras of the real files; each tensor holds
one number of its own, so that a mix-up shows.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import timm
import torch
import torchvision

from rsmm.apis import entries, get_model, zoo_files
from rsmm.apis.zoo_cli import zoo_main
from rsmm.errors import CheckpointError, DownloadError
from rsmm.utils import sha256_file

PUBLISHED = {
    name: entry for name, entry in entries.zoo_entries().items() if entry.converter is not None
}
HEAVY = ('resnet50', 'base', 'large', 'convnext', 'swin')
NUMBERS = {'conv1': 0, 'bn1': 1, 'layer1': 4, 'layer2': 5, 'layer3': 6, 'layer4': 7}
TIMM = {
    'vit-small': 'vit_small_patch16_224',
    'vit-base': 'vit_base_patch16_224',
    'vit-large': 'vit_large_patch16_224',
    'efficientnet': 'tf_efficientnet_lite0',
}


class DataModule:
    """Stands for what training scripts pickle into their checkpoints."""


class Malicious:
    def __init__(self, flag) -> None:
        self.flag = str(flag)

    def __reduce__(self):
        return os.mkdir, (self.flag,)


def filled(shapes: dict) -> dict:
    """One number per tensor; a file of them is small, whatever their shapes."""
    return {
        key: torch.tensor(number % 97, dtype=value.dtype).expand(value.shape)
        for number, (key, value) in enumerate(shapes.items())
    }


def resnet(name: str, bands: int) -> dict:
    with torch.device('meta'):
        net = (torchvision.models.resnet50 if 'resnet50' in name else torchvision.models.resnet18)()
        if bands != 3:
            net.conv1 = torch.nn.Conv2d(bands, 64, 7, 2, 3, bias=False)
    return net.state_dict()


def numbered(state: dict, prefix: str) -> dict:
    """Name layers by their position, as ``Sequential(*children)`` does; the classifier goes."""
    parts = {key: key.partition('.') for key in state if not key.startswith('fc.')}
    return {
        f'{prefix}{NUMBERS[first]}.{rest}': state[key] for key, (first, _, rest) in parts.items()
    }


def prefixed(prefix: str, state: dict) -> dict:
    return {f'{prefix}{key}': value for key, value in state.items()}


def linear(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device='meta')


def seco(name: str, bands: int, flag) -> dict:
    net = resnet(name, bands)
    state = {**numbered(net, 'encoder_q.'), **numbered(net, 'encoder_k.')}
    width = 2048 if 'resnet50' in name else 512
    for head in (f'heads_{side}.{index}' for side in 'qk' for index in range(3)):
        state[f'{head}.0.weight'] = linear(width, width)
        state[f'{head}.2.weight'] = linear(128, width)
    state['queue'] = linear(3, 128, 16)
    return {
        'state_dict': filled(state),
        'hyper_parameters': {'datamodule': DataModule()},
        'callbacks': {'x': Malicious(flag)},
        'epoch': 199,
        'global_step': 1,
    }


def saco(name: str, bands: int) -> dict:
    prefix = 'resnet.model.model.' if 'classification' in name else 'encoder.'
    state = numbered(resnet(name, bands), prefix)
    if 'classification' in name:
        state['resnet.model.fc.weight'] = linear(10, 720)
    else:
        state['decoder.0.double_conv.0.weight'] = linear(256, 512, 3, 3)
    return filled(state)


def transformer(name: str, bands: int) -> dict:
    options = {'img_size': 32, 'patch_size': 2} if name.endswith('-p2') else {}
    with torch.device('meta'):
        kind = next(value for key, value in TIMM.items() if key in name)
        state = timm.create_model(kind, in_chans=bands, **options).state_dict()
    if name.startswith(('mae_', 'ssl4eo-mae')):  # an encoder alone
        state = {key: value for key, value in state.items() if not key.startswith('head.')}
    return {'model': filled(state)} if name.startswith(('mae_', 'usb_')) else filled(state)


def modern(name: str) -> dict:
    """ConvNeXt and Swin: torchvision's names, or those of their authors."""
    kind = 'convnext' if 'convnext' in name else 'swin'
    theirs = {'convnext': torchvision.models.convnext_tiny, 'swin': torchvision.models.swin_t}
    timms = {'convnext': 'convnext_tiny', 'swin': 'swin_tiny_patch4_window7_224'}
    with torch.device('meta'):
        if name.startswith('torchvision'):
            state = theirs[kind]().state_dict()
        else:
            state = timm.create_model(timms[kind]).state_dict()
    if name.startswith('torchvision'):
        return filled(state)
    return {'model': filled({authors_name(kind, key): value for key, value in state.items()})}


def authors_name(kind: str, key: str) -> str:
    names = key.split('.')
    if kind == 'swin':
        if 'downsample' in key:  # at the end of the stage before
            names[1] = str(int(names[1]) - 1)
        return '.'.join(names).replace('head.fc', 'head')
    if names[0] == 'stem':
        return '.'.join(['downsample_layers', '0', *names[1:]])
    if 'downsample' in names:
        return '.'.join(['downsample_layers', names[1], *names[3:]])
    key = key.replace('.blocks.', '.').replace('conv_dw', 'dwconv').replace('mlp.fc', 'pwconv')
    return key.replace('head.norm', 'norm').replace('head.fc', 'head')


def stand_in(entry: entries.ZooEntry, flag) -> dict:
    name, bands = entry.name, entry.options.get('model.backbone.in_channels')
    bands = bands or (13 if entry.config.stem.endswith('_s2') else 3)
    if entry.converter == 'seco':
        return seco(name, bands, flag)
    if entry.converter == 'caco':
        return filled(numbered(resnet(name, bands), ''))
    if entry.converter == 'saco':
        return saco(name, bands)
    if 'convnext' in name or 'swin-' in name:
        return modern(name)
    if 'resnet' not in name:
        return transformer(name, bands)
    state = resnet(name, bands)
    if not name.startswith('swav'):
        return filled(state)
    kept = {key: value for key, value in state.items() if not key.startswith('fc.')}
    extra = {'projection_head.0.weight': linear(2048, 2048), 'prototypes.weight': linear(30, 128)}
    return filled(prefixed('module.', {**kept, **extra}))


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server of the files in a folder; ``publish(entry)`` makes an entry point there."""
    for name in ('http_proxy', 'HTTP_PROXY', 'RSMM_ZOO'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('RSMM_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setattr(SimpleHTTPRequestHandler, 'log_message', lambda *_: None)
    folder = tmp_path / 'served'
    folder.mkdir()
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    running = ThreadingHTTPServer(('127.0.0.1', 0), handler)
    threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
    known = dict(entries.zoo_entries())
    monkeypatch.setattr(entries, 'zoo_entries', lambda root=None: known)

    def publish(name: str, content=None, **changes) -> entries.ZooEntry:
        entry = PUBLISHED[name]
        file = folder / f'{name}.pth'
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            torch.save(stand_in(entry, tmp_path / 'flag'), file)
        address = f'http://127.0.0.1:{running.server_address[1]}/{file.name}?download=1'
        md5 = hashlib.md5(file.read_bytes()).hexdigest()
        changes = {'md5': md5[: len(entry.md5)] if entry.md5 else None, **changes}
        known[name] = dataclasses.replace(entry, weights=address, sha256=None, **{**changes})
        return known[name]

    publish.folder = folder
    yield publish
    running.shutdown()
    running.server_close()


@pytest.mark.parametrize(
    'name',
    [
        pytest.param(name, marks=pytest.mark.slow if any(word in name for word in HEAVY) else ())
        for name in PUBLISHED
    ],
)
def test_from_the_authors_file_to_a_filled_model(name, server, tmp_path):
    entry = server(name)
    model = get_model(name, pretrained=True)
    assert not model.training
    assert not (tmp_path / 'flag').exists(), 'code of the file was run'
    values = list(model.backbone.parameters())
    assert all((value == value.flatten()[0]).all() for value in values), 'tensors were mixed up'
    assert len({float(value.flatten()[0]) for value in values}) > 20
    note = zoo_files.weights_file(entry)
    noted = note.with_name(f'{note.name}.sha256').read_text().strip()
    assert noted == sha256_file(note)
    image = torch.randint(0, 255, (1, bands_of(model), 32, 32))
    if 'vit' not in name:
        with torch.no_grad():
            data = model.data_preprocessor({'inputs': image})
            assert model(data['inputs'])[-1].ndim in (2, 4)


def bands_of(model) -> int:
    return next(m for m in model.modules() if isinstance(m, torch.nn.Conv2d)).in_channels


def test_addresses_are_whole_and_noted():
    for name, entry in PUBLISHED.items():
        assert entry.weights.startswith('https://'), name
        assert entry.metadata['Read In'], name
        assert entry.metadata['Licence'], name
    names = [zoo_files.file_name(entry) for entry in PUBLISHED.values()]
    assert len(set(names)) == len(names), 'a mirror holds all files in one folder'


NAME = 'caco_resnet18_100k'


def test_trusted_on_first_use_and_held_to_it(server, tmp_path):
    file = zoo_files.weights_file(server(NAME))
    assert zoo_files.weights_file(
        server(NAME, content=b'another file')
    )  # the cached one, untouched
    file.write_bytes(b'tampered')
    with pytest.raises(DownloadError, match='expected'):
        get_model(NAME, pretrained=True)
    entry = server(NAME)  # the true file again
    assert zoo_files.weights_file(entry) == file
    with pytest.raises(DownloadError, match='expected aaaaaaaa'):
        get_model(NAME, pretrained=True, sha256='a' * 64)


def test_other_md5_is_refused_and_not_noted(server):
    entry = server('seco_resnet18_1m', md5='0' * 32)
    with pytest.raises(DownloadError, match=r'md5 is .*, expected 0000'):
        zoo_files.weights_file(entry)
    assert not list((zoo_files.cache_dir() / 'downloads').rglob('*.sha256'))


def test_a_page_instead_of_a_file_is_not_noted(server):
    entry = server(NAME, content=b'<!DOCTYPE html><html>log in</html>')
    with pytest.raises(CheckpointError, match='web page'):
        zoo_files.weights_file(entry)
    assert server(NAME)
    assert get_model(NAME, pretrained=True) is not None


def test_what_to_do_when_it_cannot_be_fetched(server, tmp_path, monkeypatch):
    entry = server(NAME)
    (server.folder / f'{NAME}.pth').unlink()
    with pytest.raises(DownloadError, match=r'404.*By hand: fetch http://.*RSMM_ZOO names'):
        zoo_files.weights_file(entry)
    mirror = tmp_path / 'mirror'
    mirror.mkdir()
    torch.save(stand_in(PUBLISHED[NAME], tmp_path / 'flag'), mirror / f'{NAME}.pth')
    monkeypatch.setenv('RSMM_ZOO', str(mirror))
    assert zoo_files.weights_file(entry) == mirror / f'{NAME}.pth'
    monkeypatch.setenv('RSMM_ZOO', entry.weights.rpartition('/')[0])
    os.rename(mirror / f'{NAME}.pth', server.folder / f'{NAME}.pth')
    assert zoo_files.weights_file(entry).parent.parent.parent == tmp_path / 'cache'


def test_commands_with_published_weights(server, tmp_path, capsys):
    server(NAME)
    assert zoo_main(['verify', NAME]) == 0
    assert zoo_main(['download', NAME, '--dest', str(tmp_path / 'here'), '--sha256', 'a' * 8]) == 1
    assert 'expected aaaaaaaa' in capsys.readouterr().err
    assert zoo_main(['card', 'mae_vit-base']) == 0
    assert 'CC-BY-NC-4.0' in capsys.readouterr().out


def test_every_entry_stands_in_the_docs(repo_root):
    page = (repo_root / 'docs' / 'published_weights.md').read_text(encoding='utf-8')
    assert [name for name in PUBLISHED if f'| `{name}` |' not in page] == []
