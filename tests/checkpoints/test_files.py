from __future__ import annotations

import argparse
import errno
import os
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader, load_checkpoint
from safetensors.torch import save_file
from torch import nn

from rsmm.checkpoints import files as checkpoint_module
from rsmm.checkpoints.files import load_checkpoint_file, save_checkpoint_file, write_pointer
from rsmm.checkpoints.safe_pickle import foreign_names
from rsmm.checkpoints.torch_archive import load_with_stubs
from rsmm.errors import CheckpointError


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def __reduce__(self):
        return os.mkdir, (str(self.flag),)


class Custom:
    """A harmless class that no loader knows."""


@pytest.fixture
def weights() -> dict:
    return {'state_dict': OrderedDict(weight=torch.arange(6.0).reshape(2, 3))}


@pytest.mark.parametrize('zipped', [True, False], ids=['zip', 'legacy'])
def test_plain_weights_load(tmp_path, weights, zipped):
    path = tmp_path / 'a.pth'
    torch.save(weights, path, _use_new_zipfile_serialization=zipped)
    loaded = load_checkpoint_file(path)
    torch.testing.assert_close(loaded['state_dict']['weight'], weights['state_dict']['weight'])


@pytest.mark.parametrize('zipped', [True, False], ids=['zip', 'legacy'])
def test_code_is_refused_and_not_run(tmp_path, weights, zipped):
    path, flag = tmp_path / 'a.pth', tmp_path / 'ran'
    torch.save({**weights, 'x': Bomb(flag)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r'a\.pth: refers to code .*mkdir.*trust-checkpoint'):
        load_checkpoint_file(path)
    assert not flag.exists()


def test_trusting_is_explicit(tmp_path, weights, monkeypatch):
    path = tmp_path / 'a.pth'
    torch.save({**weights, 'x': Custom()}, path)
    with pytest.raises(CheckpointError, match='Custom'):
        load_checkpoint_file(path)
    assert isinstance(load_checkpoint_file(path, trust=True)['x'], Custom)
    monkeypatch.setenv('RSMM_TRUST_CHECKPOINT', '1')
    assert isinstance(load_checkpoint_file(path)['x'], Custom)


def test_stock_openmmlab_checkpoint_loads_without_trust(tmp_path, weights):
    stock = {
        **weights,
        'message_hub': {
            'log_scalars': OrderedDict(loss=HistoryBuffer([1.0, 2.0], [1, 1])),
            'runtime_info': OrderedDict(score=np.float32(0.5), top=np.int64(3)),
        },
        'meta': {'palette': np.arange(6, dtype=np.uint8).reshape(2, 3), 'names': np.array(['a'])},
        'args': argparse.Namespace(lr=0.1),
        'statistic': HistoryBuffer.mean,
    }
    path = tmp_path / 'a.pth'
    torch.save(stock, path)
    loaded = load_checkpoint_file(path)
    assert loaded['message_hub']['log_scalars']['loss'].mean() == 1.5
    assert loaded['message_hub']['runtime_info']['score'] == np.float32(0.5)
    np.testing.assert_array_equal(loaded['meta']['palette'], stock['meta']['palette'])
    assert loaded['args'].lr == 0.1


def test_names_of_numpy_1_are_known(tmp_path):
    path = tmp_path / 'a.pth'
    torch.save({'x': np.arange(3.0), 's': np.float64(2)}, path)
    old = tmp_path / 'old.pth'
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(old, 'w') as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith('data.pkl'):
                assert b'numpy._core.multiarray' in data
                data = data.replace(b'numpy._core.multiarray', b'numpy.core.multiarray')
            target.writestr(name, data)
    loaded = load_checkpoint_file(old)
    np.testing.assert_array_equal(loaded['x'], np.arange(3.0))
    assert loaded['s'] == 2


def test_getattr_reaches_nothing_but_statistics(tmp_path, weights):
    class Sneaky:
        def __reduce__(self):
            return getattr, (HistoryBuffer, '__init__')

    path = tmp_path / 'a.pth'
    torch.save({**weights, 'x': Sneaky()}, path)
    with pytest.raises(CheckpointError, match='getattr'):
        load_checkpoint_file(path)


@pytest.mark.parametrize('zipped', [True, False], ids=['zip', 'legacy'])
def test_truncated_file(tmp_path, weights, zipped):
    path = tmp_path / 'a.pth'
    torch.save(weights, path, _use_new_zipfile_serialization=zipped)
    data = path.read_bytes()
    for size in (0, 1, 40, len(data) // 2, len(data) - 8):
        path.write_bytes(data[:size])
        with pytest.raises(CheckpointError, match='damaged or truncated'):
            load_checkpoint_file(path)


def test_a_text_in_place_of_weights_brings_no_advice_to_run_it(tmp_path):
    path = tmp_path / 'README.md'
    path.write_text('# Weights\n\nLook elsewhere.\n' * 50)
    with pytest.raises(CheckpointError, match=r'README\.md: is damaged') as caught:
        load_checkpoint_file(path)
    assert 'weights_only' not in str(caught.value)


def test_flipped_bit_in_a_weight(tmp_path, weights):
    path = tmp_path / 'a.pth'
    torch.save(weights, path)
    data = bytearray(path.read_bytes())
    place = data.find(np.arange(6, dtype=np.float32).tobytes())
    data[place + 5] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match='checksum'):
        load_checkpoint_file(path)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'\n<!DOCTYPE html><html>log in</html>', 'web page'),
        (b'{"error": "not found"}', 'web page'),
        (b'version https://git-lfs.github.com/spec/v1\noid sha256:1\n', 'git lfs pull'),
        (b'\x00\x01 noise', 'damaged'),
    ],
)
def test_other_files(tmp_path, content, message):
    path = tmp_path / 'a.pth'
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint_file(path)


def test_not_a_dict(tmp_path):
    torch.save(torch.ones(2), tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match='holds a Tensor, expected a dict'):
        load_checkpoint_file(tmp_path / 'a.pth')


def test_missing_file_names_its_neighbours(tmp_path, weights):
    for epoch in (9, 10):
        save_checkpoint_file(weights, tmp_path / f'epoch_{epoch}.pth')
    with pytest.raises(CheckpointError, match=r'epoch_1\.pth: no such checkpoint.*epoch_10\.pth'):
        load_checkpoint_file(tmp_path / 'epoch_1.pth')
    with pytest.raises(CheckpointError, match=r'is a folder.*epoch_10\.pth'):
        load_checkpoint_file(tmp_path)


def test_safetensors(tmp_path):
    path = tmp_path / 'a.safetensors'
    save_file({'w': torch.ones(2, 3, dtype=torch.bfloat16)}, path)
    assert load_checkpoint_file(path)['w'].dtype == torch.bfloat16
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(CheckpointError, match='damaged'):
        load_checkpoint_file(path)


def test_mmengine_never_unpickles_behind_our_back(tmp_path, weights):
    """mmengine's own loader falls back to full unpickling; ours must be in its place."""
    path, flag = tmp_path / 'a.pth', tmp_path / 'ran'
    torch.save({**weights, 'x': Bomb(flag)}, path)
    with pytest.raises(CheckpointError):
        load_checkpoint(nn.Linear(3, 2, bias=False), str(path))
    assert not flag.exists()
    for name in ('https://a/b', 'torchvision://x', 'open-mmlab://x', 's3://x', 'mmcls://x', 'a/b'):
        loader = CheckpointLoader._get_checkpoint_loader(name)
        assert loader.__module__ == 'rsmm.checkpoints.files', name


def test_unknown_torchvision_name():
    with pytest.raises(CheckpointError, match="Did you mean 'resnet18'"):
        CheckpointLoader.load_checkpoint('torchvision://resnet_18')


class FullDisk:
    """File proxy that runs out of space after some bytes."""

    def __init__(self, file, room: int) -> None:
        self.file, self.room = file, room

    def write(self, data) -> int:
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, 'No space left on device')
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()

    def __getattr__(self, name):
        return getattr(self.file, name)


def test_full_disk_keeps_the_previous_file(tmp_path, weights, monkeypatch):
    path = tmp_path / 'last.pth'
    save_checkpoint_file(weights, path)
    before = path.read_bytes()
    real = os.fdopen
    monkeypatch.setattr('rsmm.utils.io.os.fdopen', lambda *a, **k: FullDisk(real(*a, **k), 5000))
    monkeypatch.setattr(FullDisk, '__enter__', lambda self: self, raising=False)
    monkeypatch.setattr(FullDisk, '__exit__', lambda self, *a: self.file.close(), raising=False)
    big = {'state_dict': {'w': torch.zeros(100_000)}}
    with pytest.raises(CheckpointError, match=r'last\.pth: .*no space left \(\d+ MiB free\)'):
        save_checkpoint_file(big, path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ['last.pth']


@pytest.mark.skipif(not os.access('/dev/full', os.W_OK), reason='needs /dev/full')
def test_full_device_reports_no_space(weights, monkeypatch, tmp_path):
    """A real ENOSPC, from the kernel."""
    full = Path('/dev/full').open('wb', buffering=0)  # noqa: SIM115 closed by the writer
    monkeypatch.setattr(checkpoint_module, 'atomic_write', lambda path: full)
    with pytest.raises(CheckpointError, match='no space left'):
        save_checkpoint_file({'w': torch.zeros(1_000_000)}, tmp_path / 'a.pth')


def test_unwritable_folder(tmp_path, weights):
    (tmp_path / 'file').write_text('')
    with pytest.raises(CheckpointError, match='could not be written'):
        save_checkpoint_file(weights, tmp_path / 'file' / 'a.pth')


def test_saving_replaces_and_leaves_nothing_else(tmp_path, weights):
    path = tmp_path / 'new' / 'a.pth'
    save_checkpoint_file(weights, path)
    save_checkpoint_file({'state_dict': {'w': torch.zeros(2)}}, path)
    assert list(load_checkpoint_file(path)['state_dict']) == ['w']
    write_pointer(path.parent, path)
    assert (path.parent / 'last_checkpoint').read_text() == str(path)
    assert sorted(entry.name for entry in path.parent.iterdir()) == ['a.pth', 'last_checkpoint']


@pytest.mark.parametrize('zipped', [True, False], ids=['zip', 'legacy'])
def test_stubs_keep_tensors_and_run_nothing(tmp_path, zipped):
    path, flag = tmp_path / 'a.ckpt', tmp_path / 'ran'
    weight = torch.randn(4, 3).t()
    content = {
        'state_dict': OrderedDict(w=weight, half=torch.ones(2).half(), p=nn.Parameter(weight)),
        'datamodule': Custom(),
        'callbacks': {Custom: [Bomb(flag)]},
        'epoch': 3,
    }
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    assert any('mkdir' in name for name in foreign_names(path))
    loaded = load_with_stubs(path)
    assert not flag.exists()
    torch.testing.assert_close(loaded['state_dict']['w'], weight)
    torch.testing.assert_close(loaded['state_dict']['p'].data, weight)
    assert loaded['state_dict']['half'].dtype == torch.float16
    assert loaded['epoch'] == 3
    assert not isinstance(loaded['datamodule'], Custom)


def test_a_file_may_be_named_as_an_address(tmp_path):
    path = tmp_path / 'with space' / 'weights.pth'
    save_checkpoint_file({'state_dict': {'a': torch.ones(2)}}, path)
    assert load_checkpoint_file(path.as_uri())['state_dict']['a'].tolist() == [1, 1]
    with pytest.raises(CheckpointError, match='with space/other.pth: no such checkpoint'):
        load_checkpoint_file(path.with_name('other.pth').as_uri())
