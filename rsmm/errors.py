"""Errors that say what is wrong, where, and how to mend it.

Every error a user can cause is an :class:`RsmmError`. Its text reads
``<where>: <what>. <fix>``, so that a log line alone is enough to act on.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from os import PathLike


class RsmmError(Exception):
    """Base of all errors that rsmm raises on purpose.

    Args:
        what: What is wrong, with the expected and the found value.
        where: File, config key or line that is at fault.
        fix: What the user can do about it.
    """

    def __init__(
        self, what: str, *, where: str | PathLike | None = None, fix: str | None = None
    ) -> None:
        self.what = what
        self.where = None if where is None else str(where)
        self.fix = fix
        message = what if self.where is None else f'{self.where}: {what}'
        if fix:
            stop = '' if message.endswith('?') else '.'
            message = f'{message.rstrip(".")}{stop} {fix}'
        super().__init__(message)

    def __str__(self) -> str:
        # KeyError and OSError would otherwise quote or reformat the message.
        return str(self.args[0])

    def __reduce__(self):
        # Exceptions cross process borders (DataLoader workers): keep the keyword arguments.
        return _rebuild, (type(self), self.what, self.where, self.fix)


def _rebuild(cls: type[RsmmError], what: str, where: str | None, fix: str | None) -> RsmmError:
    return cls(what, where=where, fix=fix)


class DataError(RsmmError, ValueError):
    """A file or array does not hold what its reader needs."""


class DataNotFoundError(DataError, FileNotFoundError):
    """A data root, file or split is absent."""


class ConfigError(RsmmError, ValueError):
    """A config or command line asks for something that does not exist or does not fit."""


class CheckpointError(RsmmError, RuntimeError):
    """A checkpoint is damaged, unsafe, or belongs to another model."""


class DownloadError(RsmmError, OSError):
    """A file could not be fetched or does not match its checksum."""


class MissingDependencyError(RsmmError, ImportError):
    """An optional package is needed for what was asked."""


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the closest candidate, or an empty string.

    >>> did_you_mean('EuroSatt', ['EuroSAT', 'OSCD'])
    " Did you mean 'EuroSAT'?"
    """
    by_lower = {str(candidate).lower(): str(candidate) for candidate in candidates}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f" Did you mean '{by_lower[close[0]]}'?" if close else ''
