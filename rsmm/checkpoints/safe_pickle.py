"""Reading pickles without running what they carry.

:func:`harmless_globals` widens torch's weights-only loader by the few data classes that stock
OpenMMLab checkpoints contain; :mod:`rsmm.checkpoints.torch_archive` reads foreign training
checkpoints for conversion.
"""

from __future__ import annotations

import argparse
import pickle
import pickletools
import re
import zipfile
from collections.abc import Callable, Iterator
from os import PathLike

from rsmm.checkpoints.plain_numpy import PlainArray, PlainDtype, no_bytes, plain_scalar, reconstruct

_STATISTICS = ('min', 'max', 'current', 'mean')
_NUMPY_CORES = ('numpy.core.multiarray', 'numpy._core.multiarray')  # numpy 1 and numpy 2
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

    They are data containers: numpy arrays and scalars, rebuilt from bytes with a checked dtype,
    mmengine's ``HistoryBuffer`` and ``argparse.Namespace``. None of them calls anything that the
    file names, and none interprets bytes of the file as addresses.
    """
    from mmengine.logging import HistoryBuffer

    allowed = [PlainArray, PlainDtype, HistoryBuffer, argparse.Namespace]
    allowed.append(_alias(PlainDtype, 'numpy', 'dtype'))
    allowed.append(_alias(PlainArray, 'numpy', 'ndarray'))
    for module in _NUMPY_CORES:
        allowed.append(_alias(reconstruct, module, '_reconstruct'))
        allowed.append(_alias(plain_scalar, module, 'scalar'))
    allowed += [_alias(no_bytes, module, 'bytes') for module in ('builtins', '__builtin__')]
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
