"""Reading torch files without torch's loader: tensors are rebuilt, everything else is a stand-in.

One reader decides what a file is, Python's ``zipfile``; a file that another reader would see
otherwise gets no second opinion. Nothing that the file names is imported or called.
"""

from __future__ import annotations

import collections
import io
import pickle
import zipfile
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path

import torch

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_STORAGES = {
    'DoubleStorage': torch.float64,
    'FloatStorage': torch.float32,
    'HalfStorage': torch.float16,
    'BFloat16Storage': torch.bfloat16,
    'LongStorage': torch.int64,
    'IntStorage': torch.int32,
    'ShortStorage': torch.int16,
    'CharStorage': torch.int8,
    'ByteStorage': torch.uint8,
    'BoolStorage': torch.bool,
    'ComplexDoubleStorage': torch.complex128,
    'ComplexFloatStorage': torch.complex64,
    'UntypedStorage': torch.uint8,
}


class Stub:
    """Inert stand-in for an object of an unknown class; swallows whatever builds it."""

    def __new__(cls, *args, **kwargs):
        return super().__new__(cls)

    def __init__(self, *args, **kwargs) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass

    def __call__(self, *args, **kwargs) -> Stub:
        return Stub()

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def append(self, item: object) -> None:
        """Ignore a list item."""

    def extend(self, items: object) -> None:
        """Ignore list items."""

    def add(self, item: object) -> None:
        """Ignore a set item."""

    def __hash__(self) -> int:
        return id(self)


def _strided(storage: torch.Tensor, offset: int, size: Sequence[int], stride: Sequence[int], *_):
    """Rebuild a tensor from a flat one; what lies outside of it is refused, not invented."""
    numbers = [offset, *size, *stride]
    if len(size) != len(stride) or any(type(n) is not int or n < 0 for n in numbers):
        raise pickle.UnpicklingError('a tensor states no valid shape')
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if 0 not in size and last >= storage.numel():
        raise pickle.UnpicklingError('a tensor reaches beyond its data')
    if 0 in size:
        return storage.new_empty(tuple(size))
    return torch.as_strided(storage, tuple(size), tuple(stride), offset)


def _first(value: object, *_) -> object:
    return value


_KNOWN: dict[str, object] = {
    'torch._utils._rebuild_tensor': _strided,
    'torch._utils._rebuild_tensor_v2': _strided,
    'torch._utils._rebuild_parameter': _first,
    'torch._utils._rebuild_parameter_with_state': _first,
    'torch.nn.parameter.Parameter': _first,
    'torch.Size': torch.Size,
    'collections.OrderedDict': collections.OrderedDict,
    'builtins.set': set,
    '__builtin__.set': set,
}


class StubUnpickler(pickle.Unpickler):
    """An unpickler that resolves tensors and plain containers; every other name is a stub.

    Args:
        file: The stream.
        storage: Maps key, dtype and number of elements to a flat tensor.
    """

    def __init__(self, file, storage: Callable[[str, torch.dtype, int], torch.Tensor]) -> None:
        super().__init__(file, encoding='latin1')
        self._storage = storage

    def find_class(self, module: str, name: str) -> object:
        """Return what stands for a name: something of the table, a dtype, or a stub class."""
        known = _KNOWN.get(f'{module}.{name}')
        if known is None and module == 'torch':
            known = getattr(torch, name, None)
            known = known if isinstance(known, torch.dtype) else None
        return known if known is not None else type(name, (Stub,), {'__module__': module})

    def persistent_load(self, pid: object) -> torch.Tensor:
        """Return the flat tensor that a tensor lies in."""
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != 'storage':
            raise pickle.UnpicklingError('refers to something else than data of tensors')
        _, kind, key, _, count, *view = pid
        name = getattr(kind, '__name__', '')
        if name not in _STORAGES or type(count) is not int or count < 0 or view not in ([], [None]):
            raise pickle.UnpicklingError(f'data of kind {name!r} is not read')
        return self._storage(str(key), _STORAGES[name], count)


def load_with_stubs(path: str | PathLike) -> dict:
    """Read a torch checkpoint with all non-tensor objects replaced by :class:`Stub` instances.

    Meant for conversion: what comes back besides tensors, numbers, strings and containers is empty.

    Raises:
        pickle.UnpicklingError: A TorchScript archive, which holds code by design, or the file
            cannot be read.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return _read_zip(archive)
        return _read_legacy(Path(path))
    except pickle.UnpicklingError:
        raise
    except Exception as error:  # damaged bytes make an unpickler fail in any way there is
        raise pickle.UnpicklingError(f'{type(error).__name__}: {error}') from error


def _read_zip(archive: zipfile.ZipFile) -> dict:
    members = {info.filename: info for info in archive.infolist()}
    if any(name.endswith('constants.pkl') for name in members):
        raise pickle.UnpicklingError('a TorchScript archive holds code')
    for info in members.values():
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise pickle.UnpicklingError(f'{info.filename} is packed or encrypted')
    found = [name for name in members if name == 'data.pkl' or name.endswith('/data.pkl')]
    if len(found) != 1 or len(members) != len(archive.infolist()):
        raise pickle.UnpicklingError('no torch archive, or more than one')
    root = found[0].removesuffix('data.pkl')
    if members.get(f'{root}byteorder') and archive.read(f'{root}byteorder') != b'little':
        raise pickle.UnpicklingError('numbers are stored in another byte order')
    read: dict[str, torch.Tensor] = {}

    def storage(key: str, dtype: torch.dtype, count: int) -> torch.Tensor:
        if key not in read:
            read[key] = _flat(archive.read(f'{root}data/{key}'))
        return _typed(read[key], dtype, count)

    return StubUnpickler(io.BytesIO(archive.read(found[0])), storage).load()


def _read_legacy(path: Path) -> dict:
    """Read the layout before torch 1.6: five pickles, then the data of each storage."""
    limit = path.stat().st_size
    read: dict[str, torch.Tensor] = {}

    def storage(key: str, dtype: torch.dtype, count: int) -> torch.Tensor:
        size = count * dtype.itemsize
        if size > limit:
            raise pickle.UnpicklingError('states more data than the file holds')
        if key not in read:
            read[key] = torch.zeros(size, dtype=torch.uint8)
        return _typed(read[key], dtype, count)

    with open(path, 'rb') as file:
        if StubUnpickler(file, storage).load() != _LEGACY_MAGIC:
            raise pickle.UnpicklingError('is no torch file')
        StubUnpickler(file, storage).load()  # protocol
        StubUnpickler(file, storage).load()  # sizes of the writing machine's integers
        result = StubUnpickler(file, storage).load()
        for key in StubUnpickler(file, storage).load():
            flat = read.get(str(key))
            count = int.from_bytes(file.read(8), 'little')
            if flat is None or not count or len(flat) % count:
                raise pickle.UnpicklingError('its data is not that of its tensors')
            raw = file.read(len(flat))
            if len(raw) != len(flat):
                raise pickle.UnpicklingError('its data is cut off')
            flat.copy_(_flat(raw))
    return result


def _flat(raw: bytes) -> torch.Tensor:
    """Bytes as a tensor of its own memory."""
    return torch.frombuffer(bytearray(raw), dtype=torch.uint8) if raw else torch.zeros(0).byte()


def _typed(flat: torch.Tensor, dtype: torch.dtype, count: int) -> torch.Tensor:
    if len(flat) != count * dtype.itemsize:
        raise pickle.UnpicklingError('its data is not that of its tensors')
    return flat.view(dtype) if len(flat) else torch.zeros(0, dtype=dtype)
