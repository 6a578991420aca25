"""Reading pickles without running what they carry.

Two levels: :func:`harmless_globals` widens torch's weights-only loader by the few data classes that
stock OpenMMLab checkpoints contain, and :func:`load_with_stubs` reads foreign training checkpoints
for conversion by putting inert stand-ins in the place of everything but tensors.
"""

from __future__ import annotations

import argparse
import collections
import pickle
import pickletools
import re
import zipfile
from collections.abc import Callable, Iterator
from os import PathLike
from types import SimpleNamespace

import numpy as np
import torch

_STATISTICS = ('min', 'max', 'current', 'mean')
_NUMPY_CORES = ('numpy.core.multiarray', 'numpy._core.multiarray')  # numpy 1 and numpy 2
_DTYPE_CODES = '?bBhHiIlLqQefdgFDGSUVOmM'
#: Names that torch's weights-only loader accepts by itself.
_PLAIN_TORCH = re.compile(
    r'torch\.(\w*Storage|storage\.\w+Storage|Size|device|Tensor|_utils\._rebuild_\w+'
    r'|nn\.parameter\.Parameter|(u?int|float|bfloat|complex|q?u?int|bool)\w*'
    r'|serialization\._get_layout|_tensor\._rebuild_from_type_v2)'
    r'|collections\.(OrderedDict|Counter)|_codecs\.encode|(builtins|__builtin__)\.(set|bytearray'
    r'|complex)'
)


def harmless_globals() -> list[Callable]:
    """Classes and functions beyond torch's own that a checkpoint may refer to.

    They are data containers: numpy arrays and scalars, mmengine's ``HistoryBuffer`` and
    ``argparse.Namespace``. None of them calls anything that the file names.
    """
    from mmengine.logging import HistoryBuffer

    core = getattr(np, '_core', None) or np.core
    allowed = [np.ndarray, np.dtype, HistoryBuffer, argparse.Namespace]
    allowed += {type(np.dtype(code)) for code in _DTYPE_CODES}
    for module in _NUMPY_CORES:
        allowed.append(_alias(core.multiarray._reconstruct, module, '_reconstruct'))
        allowed.append(_alias(core.multiarray.scalar, module, 'scalar'))
    allowed.append(_alias(_history_statistic, 'builtins', 'getattr'))
    return allowed


def _alias(function: Callable, module: str, name: str) -> Callable:
    """Wrap ``function`` so that torch finds it under the name written in the file."""

    def call(*args):
        return function(*args)

    call.__module__, call.__qualname__ = module, name
    return call


def _history_statistic(owner: type, name: str) -> Callable:
    """Stand in for ``getattr``, with which old HistoryBuffers refer to their four statistics."""
    from mmengine.logging import HistoryBuffer

    if owner is HistoryBuffer and name in _STATISTICS:
        return getattr(owner, name)
    raise pickle.UnpicklingError(f'getattr({owner!r}, {name!r}) is not allowed in a checkpoint')


def foreign_names(path: str | PathLike) -> list[str]:
    """List the classes and functions a checkpoint refers to beyond plain data, loading nothing.

    Returns:
        Sorted dotted names, e.g. ``['posix.system']``; empty when the file cannot be scanned.
    """
    known = {f'{item.__module__}.{item.__qualname__}' for item in harmless_globals()}
    known.discard('builtins.getattr')  # worth naming: only one use of it is harmless
    names = {name for name in _referenced_names(path) if not _PLAIN_TORCH.fullmatch(name)}
    return sorted(names - known)


def _referenced_names(path: str | PathLike) -> Iterator[str]:
    """Yield the dotted names in the pickle streams of a checkpoint file."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if member.endswith('.pkl'):
                    with archive.open(member) as stream:
                        yield from _names_in_stream(stream)
        return
    with open(path, 'rb') as stream:
        for _ in range(5):  # the legacy layout: magic, version, system, object, storage keys
            try:
                yield from _names_in_stream(stream)
            except (ValueError, EOFError):
                return


def _names_in_stream(stream) -> Iterator[str]:
    strings: list[str] = []
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name in ('GLOBAL', 'INST'):
            yield '.'.join(argument.split(' ', 1))
        elif opcode.name == 'STACK_GLOBAL' and len(strings) > 1:
            yield '.'.join(strings[-2:])
        elif isinstance(argument, str):
            strings.append(argument)


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


def _tensor_globals() -> dict[str, object]:
    names = ('_rebuild_tensor', '_rebuild_tensor_v2', '_rebuild_parameter')
    found = {f'torch._utils.{name}': getattr(torch._utils, name) for name in names}
    found |= {f'torch.{name}': getattr(torch, name) for name in ('Size', 'device')}
    found |= {str(value): value for value in vars(torch).values() if isinstance(value, torch.dtype)}
    found['collections.OrderedDict'] = collections.OrderedDict
    found |= {f'{builtins}.set': set for builtins in ('builtins', '__builtin__')}
    return found


class StubUnpickler(pickle.Unpickler):
    """An unpickler that resolves tensors and plain containers; every other name is a stub."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._known = _tensor_globals()

    def find_class(self, module: str, name: str) -> object:
        """Return the tensor function of that name, or a stub class that does nothing."""
        known = self._known.get(f'{module}.{name}')
        return known if known is not None else type(name, (Stub,), {'__module__': module})


def load_with_stubs(path: str | PathLike) -> dict:
    """Read a torch checkpoint with all non-tensor objects replaced by :class:`Stub` instances.

    Nothing that the file names is imported or called, so a pickle that carries code is harmless.
    Meant for conversion only: what comes back besides tensors, numbers, strings and containers is
    empty.

    Raises:
        pickle.UnpicklingError: The file is a TorchScript archive, which holds code by design.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith('constants.pkl') for name in archive.namelist()):
                raise pickle.UnpicklingError('a TorchScript archive holds code')
    module = SimpleNamespace(
        Unpickler=StubUnpickler,
        load=lambda file, **options: StubUnpickler(file, **options).load(),
        __name__='rsmm.checkpoints.safe_pickle',
    )
    return torch.load(path, map_location='cpu', pickle_module=module, weights_only=False)
