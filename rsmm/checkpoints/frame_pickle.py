"""Reading a pickled pandas table without running what the file carries.

A pickle names functions and calls them. Here only the few that put a table together again exist:
pandas' frame, index and blocks, numpy's arrays and scalars. Any other name stops the reading before
anything is called.
"""

from __future__ import annotations

import importlib
import pickle
from os import PathLike

import numpy as np

from rsmm.errors import DataError, DataNotFoundError

#: Names that pandas 1 and 2 write for a table, beyond numpy's.
_PANDAS = {
    'pandas.core.frame': ('DataFrame',),
    'pandas.core.internals.managers': ('BlockManager',),
    'pandas._libs.internals': ('_unpickle_block',),
    'pandas.core.internals.blocks': ('new_block',),
    'pandas.core.indexes.base': ('Index', '_new_Index'),
    'pandas.core.indexes.range': ('RangeIndex',),
    'pandas.core.indexes.numeric': ('Int64Index', 'Float64Index'),
}
_NUMPY = {
    'numpy': ('ndarray', 'dtype'),
    'numpy.core.multiarray': ('_reconstruct', 'scalar'),
    'numpy._core.multiarray': ('_reconstruct', 'scalar'),
    'numpy.core.numeric': ('_frombuffer',),
    'numpy._core.numeric': ('_frombuffer',),
}


class _ForeignNameError(pickle.UnpicklingError):
    """The file names something that is no part of a table."""


def _encode(text: str, encoding: str) -> bytes:
    """Bytes of an array in the text form of old protocols."""
    if encoding not in ('latin1', 'latin-1'):
        raise _ForeignNameError(f'the encoding {encoding}')
    return text.encode('latin1')


class _FrameUnpickler(pickle.Unpickler):
    """An unpickler that knows the parts of a table and nothing else."""

    def find_class(self, module: str, name: str) -> object:
        """Return a part of a table; refuse every other name."""
        if name in _PANDAS.get(module, ()):
            return self._pandas(module, name)
        if name in _NUMPY.get(module, ()):
            core = getattr(np, '_core', None) or np.core
            if module == 'numpy':
                return getattr(np, name)
            part = importlib.import_module(f'{core.__name__}.{module.rsplit(".", 1)[-1]}')
            return getattr(part, name)
        if (module, name) in (('builtins', 'slice'), ('__builtin__', 'slice')):
            return slice
        if (module, name) == ('_codecs', 'encode'):
            return _encode
        raise _ForeignNameError(f'{module}.{name}')

    @staticmethod
    def _pandas(module: str, name: str) -> object:
        import pandas as pd

        if name in ('Int64Index', 'Float64Index'):  # gone since pandas 2
            return pd.Index
        return getattr(importlib.import_module(module), name)


def read_frame_pickle(path: str | PathLike):
    """Read a pickled ``pandas.DataFrame``.

    Args:
        path: File written by ``DataFrame.to_pickle``, uncompressed.

    Returns:
        The table.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: It holds something other than a table, or names code to run.
    """
    import pandas as pd

    try:
        with open(path, 'rb') as file:
            found = _FrameUnpickler(file).load()
    except FileNotFoundError as error:
        raise DataNotFoundError('there is no such file', where=path) from error
    except _ForeignNameError as error:
        raise DataError(
            f'is no plain table: it refers to {error}, and nothing of it was run',
            where=path,
            fix='Only tables that pandas pickled are read; ask its author for a CSV',
        ) from error
    except (
        pickle.UnpicklingError,
        EOFError,
        AttributeError,
        ImportError,
        IndexError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:
        raise DataError(
            f'cannot be read as a pickled table ({error})', where=path, fix='Download it again'
        ) from error
    if not isinstance(found, pd.DataFrame):
        raise DataError(f'holds a {type(found).__name__}, not a table', where=path)
    return found
