"""Parsing small files of unknown origin: whatever is wrong with one is an error that names it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rsmm.errors import DataError, DataNotFoundError, RsmmError
from rsmm.utils.limits import check_limit

_AGAIN = 'Download or copy it again'


@contextlib.contextmanager
def parsing(path: str | os.PathLike, what: str, fix: str = _AGAIN) -> Iterator[None]:
    """Report what fails in the block as an error of a file.

    For blocks that do nothing but parse: damaged bytes make parsers fail in any way there is.

    Args:
        path: The file.
        what: What is wrong then, such as ``'is no table'``.
        fix: How to mend it.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: Anything else went wrong.
    """
    try:
        yield
    except RsmmError:
        raise
    except FileNotFoundError as error:
        raise DataNotFoundError('there is no such file', where=path) from error
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise DataError(f'{what} ({reason})', where=path, fix=fix) from error


def read_text(path: str | os.PathLike, what: str = 'is no text file', fix: str = _AGAIN) -> str:
    """Return the text of a UTF-8 file, without a byte-order mark.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: It is no UTF-8, cannot be read, or is larger than ``TEXT_BYTES``
            (:mod:`rsmm.utils.limits`).
    """
    with parsing(path, what, fix):
        check_limit('TEXT_BYTES', os.stat(path).st_size, path)
        return Path(path).read_text(encoding='utf-8-sig')


def read_json(
    path: str | os.PathLike, kind: type | tuple = dict, what: str = 'is no JSON', fix: str = _AGAIN
) -> Any:
    """Return what a JSON file holds.

    Args:
        path: File.
        kind: Type that is expected at the top.
        what: What is wrong with a file that is not.
        fix: How to mend it.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: It is no JSON, nested deeper than Python parses, of another kind or too large.
    """
    text = read_text(path, what, fix)
    with parsing(path, what, fix):
        found = json.loads(text)
    if not isinstance(found, kind):
        raise DataError(f'{what}: found a {type(found).__name__}', where=path, fix=fix)
    return found
