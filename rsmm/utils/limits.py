"""How much a file from outside may ask for: names, defaults, and the variables that change them.

The defaults lie far above every published archive and far below what fills a machine. Each can be
set for a process by ``RSMM_LIMIT_<NAME>``, e.g. ``RSMM_LIMIT_BANDS=70000``.
"""

from __future__ import annotations

import os

from rsmm.errors import ConfigError, DataError

GIB = 2**30
#: Name to default and meaning.
LIMITS: dict[str, tuple[float, str]] = {
    'PIXELS': (1e11, 'pixels of a raster, read in windows'),
    'BANDS': (4096, 'bands of a raster'),
    'READ_BYTES': (64 * GIB, 'bytes that one read of a raster unpacks to'),
    'TEXT_BYTES': (8 * GIB, 'bytes of a text, table or JSON file'),
    'MEMBERS': (5e7, 'members of an archive'),
    'UNPACKED_BYTES': (4096 * GIB, 'bytes that an archive unpacks to'),
    'RATIO': (300, 'unpacked by packed bytes of an archive of more than 1 GiB'),
    'DOWNLOAD_BYTES': (1024 * GIB, 'bytes of one download'),
    'DOWNLOAD_SECONDS': (48 * 3600, 'seconds that one download may take in all'),
}
_PREFIX = 'RSMM_LIMIT_'


def limit(name: str) -> float:
    """Return a limit by its name in :data:`LIMITS`.

    Raises:
        ConfigError: Its variable is set to what is no positive number.
    """
    text = os.environ.get(_PREFIX + name)
    if text is None:
        return LIMITS[name][0]
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise ConfigError(f'{text!r} is no positive number', where=_PREFIX + name)
    return value


def check_limit(name: str, found: float, where: object, error: type = DataError) -> None:
    """Refuse what is beyond a limit.

    Args:
        name: In :data:`LIMITS`.
        found: What a file asks for.
        where: The file or address.
        error: Class to raise.

    Raises:
        DataError: Or the class that was asked for; names the variable that lifts the limit.
    """
    most = limit(name)
    if found > most:
        raise error(
            f'{found:,.0f} {LIMITS[name][1]}, at most {most:,.0f} are taken',
            where=where,
            fix=f'If you trust the file, set {_PREFIX}{name}',
        )
