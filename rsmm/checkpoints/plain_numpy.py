"""Numpy arrays and scalars of a pickle, rebuilt from their bytes.

numpy's own ``dtype`` and ``ndarray`` believe what ``__setstate__`` tells them: an object dtype
without its flag makes numpy follow addresses that stand in the file. Stand-ins take the state
instead, check it, and become arrays once the file is read.
"""

from __future__ import annotations

import argparse
import math
import pickle
import re

import numpy as np

_CODE = re.compile(r'[<>|=]?([?bhilqBHILQefdgFDG]|[biufcSU]\d{1,6})')
#: Containers within containers; checkpoints of OpenMMLab have fewer than twenty.
MAX_DEPTH = 100


class PlainDtype:
    """A dtype of numbers, booleans or texts of fixed size; anything else is refused."""

    def __init__(self, code: str = '', align: bool = False, copy: bool = False) -> None:
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            raise pickle.UnpicklingError(f'arrays of dtype {code!r} are not read')
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        """Take the byte order; fields, sub-arrays and metadata are refused."""
        order, *structure = state[1:5]
        if order not in tuple('<>=|') or structure != [None, None, None]:
            raise pickle.UnpicklingError('arrays of structured dtypes are not read')
        self.dtype = self.dtype.newbyteorder(order)


class PlainArray:
    """An array that is still being read."""

    array: np.ndarray | None = None

    def __setstate__(self, state: tuple) -> None:
        """Build the array from version, shape, dtype, order and bytes.

        Raises:
            pickle.UnpicklingError: They do not belong together.
        """
        try:
            _, shape, dtype, fortran, raw = state
            raw = raw.encode('latin1') if isinstance(raw, str) else raw
            count = math.prod(shape)
            fits = isinstance(dtype, PlainDtype) and isinstance(raw, bytes)
            if not fits or len(raw) != count * dtype.dtype.itemsize:
                raise ValueError('its bytes are not those of its shape and dtype')
            flat = np.frombuffer(raw, dtype.dtype, count).copy()
            self.array = flat.reshape(shape, order='F' if fortran else 'C')
        except (TypeError, ValueError) as error:
            raise pickle.UnpicklingError(f'an array cannot be rebuilt: {error}') from error


def reconstruct(kind: object, shape: tuple, code: bytes) -> PlainArray:
    """Stand in for numpy's ``_reconstruct``, with which a pickled array begins."""
    return PlainArray()


def plain_scalar(dtype: PlainDtype, raw: bytes | str) -> np.generic:
    """Stand in for numpy's ``scalar``.

    Raises:
        pickle.UnpicklingError: The bytes are not one number.
    """
    raw = raw.encode('latin1') if isinstance(raw, str) else raw
    if not isinstance(dtype, PlainDtype) or len(raw) != dtype.dtype.itemsize:
        raise pickle.UnpicklingError(
            'a number cannot be rebuilt: its bytes are not those of a number'
        )
    return np.frombuffer(raw, dtype.dtype, 1)[0]


def no_bytes(*args: object) -> bytes:
    """Stand in for ``bytes()``, which old pickle protocols write for an empty array.

    Raises:
        pickle.UnpicklingError: It was called with arguments.
    """
    if args:
        raise pickle.UnpicklingError('bytes are only made of nothing')
    return b''


def finished(value: object, depth: int = 0) -> object:
    """Replace the stand-ins within containers by what they stand for; containers stay themselves.

    Raises:
        pickle.UnpicklingError: An array has no content, or containers are nested too deep.
    """
    if depth > MAX_DEPTH:
        raise pickle.UnpicklingError(f'containers are nested more than {MAX_DEPTH} deep')
    if isinstance(value, PlainArray):
        if value.array is None:
            raise pickle.UnpicklingError('an array has no content')
        return value.array
    if isinstance(value, PlainDtype):
        return value.dtype
    if isinstance(value, dict):
        for key in value:
            value[key] = finished(value[key], depth + 1)
    elif isinstance(value, list):
        value[:] = [finished(item, depth + 1) for item in value]
    elif type(value) is tuple:
        return tuple(finished(item, depth + 1) for item in value)
    elif isinstance(value, argparse.Namespace) or type(value).__name__ == 'HistoryBuffer':
        finished(vars(value), depth + 1)
    return value
