"""Files made to harm: nothing in them runs, nothing reads memory that is not theirs."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from rsmm.apis import convert_file
from rsmm.checkpoints.converters import read_foreign_checkpoint
from rsmm.checkpoints.files import load_checkpoint_file
from rsmm.checkpoints.plain_numpy import MAX_DEPTH
from rsmm.checkpoints.torch_archive import load_with_stubs
from rsmm.errors import CheckpointError


class Reduced:
    """Pickles as a call with arguments, and a state on top."""

    def __init__(self, call, args, state=None) -> None:
        self.parts = call, args, state

    def __reduce__(self):
        call, args, state = self.parts
        return (call, args) if state is None else (call, args, state)


class Custom:
    """A class that no checkpoint may name."""


def archive(path, data: bytes, members=(), compression=zipfile.ZIP_STORED, name='archive/'):
    with zipfile.ZipFile(path, 'w', compression) as file:
        file.writestr(f'{name}data.pkl', data)
        for member, content in members:
            file.writestr(f'{name}{member}', content)
    return path


def pickled(value, storages=()) -> bytes:
    """Pickle with tensors as torch does: ('storage', class, key, 'cpu', count)."""
    stream = io.BytesIO()
    pickler = pickle.Pickler(stream, protocol=2)
    known = dict(storages)
    pickler.persistent_id = lambda item: known.get(id(item))
    pickler.dump(value)
    return stream.getvalue()


OBJECT_STATE = (3, '|', None, None, None, -1, -1, 0)  # numpy would need the flag 63 here
POINTERS = struct.pack('<2Q', 0xDEAD, 0xBEEF)
RECONSTRUCT = np.zeros(0).__reduce__()[0]
SCALAR = np.float64(1).__reduce__()[0]


def array_of(dtype, raw: bytes, shape=(2,)) -> Reduced:
    return Reduced(RECONSTRUCT, (np.ndarray, (0,), b'b'), (1, shape, dtype, False, raw))


ARRAYS = {
    'object dtype without its flag': array_of(Reduced(np.dtype, ('O8', False, True), OBJECT_STATE),
                                              POINTERS),
    'object dtype': array_of(np.dtype('O'), POINTERS),
    'structured dtype': array_of(np.dtype([('a', 'O')]), POINTERS),
    'fields slipped in': array_of(
        Reduced(np.dtype, ('V8', False, True), (3, '|', None, ('a',), {'a': (np.dtype('O'), 0)},
                                                8, 1, 27)), POINTERS),
    'too few bytes': array_of(np.dtype('f8'), b'1234', (1000,)),
    'too many bytes': array_of(np.dtype('f8'), POINTERS, (1,)),
    'negative shape': array_of(np.dtype('f8'), POINTERS, (-1, -2)),
    'text as dtype': array_of('O', POINTERS),
    'no content': Reduced(RECONSTRUCT, (np.ndarray, (0,), b'b')),
    'a scalar of objects': Reduced(SCALAR, (np.dtype('O'), POINTERS[:8])),
    'a scalar cut short': Reduced(SCALAR, (np.dtype('f8'), b'123')),
}  # fmt: skip


@pytest.mark.parametrize('name', ARRAYS)
@pytest.mark.parametrize('holder', ['dict', 'history'])
def test_arrays_are_rebuilt_from_bytes_or_refused(tmp_path, name, holder):
    content = {'x': ARRAYS[name]}
    if holder == 'history':
        history = HistoryBuffer()
        history._log_history = ARRAYS[name]
        content = {'log': history}
    path = archive(tmp_path / 'a.pth', pickled(content), [('version', b'3')])
    with pytest.raises(CheckpointError):
        load_checkpoint_file(path)


@pytest.mark.parametrize('protocol', [2, 4])
@pytest.mark.parametrize(
    'value',
    [
        np.arange(6, dtype='>i4').reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array(['River', 'Forest']),
        np.array([True, False]),
        np.float32(0.5),
        np.zeros((0, 3)),
    ],
)
def test_honest_arrays_come_back(tmp_path, value, protocol):
    path = tmp_path / 'a.pth'
    torch.save({'a': [value], 'b': (value,)}, path, pickle_protocol=2)
    loaded = load_checkpoint_file(path)
    for found in (loaded['a'][0], loaded['b'][0]):
        assert type(found) is type(value)
        assert found.dtype == value.dtype
        np.testing.assert_array_equal(found, value)


def test_deep_nesting_is_named(tmp_path):
    value: object = 1
    for _ in range(MAX_DEPTH + 5):
        value = [value]
    path = archive(tmp_path / 'a.pth', pickled({'x': value}), [('version', b'3')])
    with pytest.raises(CheckpointError, match='nested'):
        load_checkpoint_file(path)


TENSOR = torch._utils._rebuild_tensor_v2


def tensor_file(path, size, stride, offset=0, count=4, raw=None):
    """An archive whose tensor states what it likes about four floats."""
    storage = object()
    pid = ('storage', torch.FloatStorage, '0', 'cpu', count)
    tensor = Reduced(TENSOR, (storage, offset, size, stride, False, None))
    data = pickled({'state_dict': {'w': tensor}, 'x': Custom()}, {id(storage): pid})
    raw = np.arange(4, dtype='<f4').tobytes() if raw is None else raw
    return archive(path, data, [('data/0', raw), ('version', b'3')])


def test_a_tensor_is_rebuilt(tmp_path):
    path = tensor_file(tmp_path / 'a.pth', (2, 2), (1, 2))
    found = read_foreign_checkpoint(path)['state_dict']['w']
    assert found.tolist() == [[0, 2], [1, 3]]


@pytest.mark.parametrize(
    'facts',
    [
        dict(size=(5,), stride=(1,)),
        dict(size=(2,), stride=(1,), offset=3),
        dict(size=(2,), stride=(2**40,)),
        dict(size=(2,), stride=(-1,), offset=3),
        dict(size=(2,), stride=(1,), offset=-1),
        dict(size=(2, 2), stride=(1,)),
        dict(size=(2.0,), stride=(1,)),
        dict(size=(2,), stride=(1,), count=400),
        dict(size=(2,), stride=(1,), raw=b''),
    ],
)
def test_memory_beyond_the_file_is_never_read(tmp_path, facts):
    path = tensor_file(tmp_path / 'a.pth', **facts)
    with pytest.raises(CheckpointError, match='tensor'):
        read_foreign_checkpoint(path)


def foreign_archive(tmp_path, **settings):
    return archive(tmp_path / 'a.pth', pickled({'w': 1, 'x': Custom()}), **settings)


@pytest.mark.parametrize(
    ('settings', 'match'),
    [
        (dict(compression=zipfile.ZIP_DEFLATED), 'packed'),
        (dict(members=[('other/data.pkl', b'N.')]), 'more than one'),
        (dict(members=[('constants.pkl', b'N.')]), 'holds code'),
        (dict(members=[('byteorder', b'big')]), 'byte order'),
    ],
)
def test_odd_archives_are_refused(tmp_path, settings, match):
    with pytest.raises(CheckpointError, match=match):
        read_foreign_checkpoint(foreign_archive(tmp_path, **settings))


@pytest.mark.filterwarnings('ignore:Duplicate name')
def test_a_member_twice_is_refused(tmp_path):
    members = [('data/0', b'1'), ('data/0', b'2')]
    with pytest.raises(CheckpointError, match='more than one'):
        read_foreign_checkpoint(foreign_archive(tmp_path, members=members))


def test_no_foreign_file_reaches_the_full_loader(tmp_path, monkeypatch):
    """Whatever torch would take a file for, it is asked with weights_only, or not at all."""
    original = torch.load

    def watched(*args, **kwargs):
        assert kwargs.get('weights_only') is True
        return original(*args, **kwargs)

    monkeypatch.setattr(torch, 'load', watched)
    path = tensor_file(tmp_path / 'a.pth', (2, 2), (1, 2))
    assert load_with_stubs(path)['state_dict']['w'].shape == (2, 2)
    script = tmp_path / 'script.pt'
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), script)
    # One file, two directories: Python reads the last, another reader may read the first.
    both = tmp_path / 'both.pt'
    both.write_bytes(script.read_bytes() + path.read_bytes())
    for file in (path, script, both):
        with pytest.raises(CheckpointError):
            convert_file(file, tmp_path / 'out.pth')
    assert not (tmp_path / 'out.pth').exists()
