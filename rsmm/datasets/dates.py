"""Dates in file names."""

from __future__ import annotations

import csv
import datetime as dt
import re
from pathlib import Path

from rsmm.errors import DataError, DataNotFoundError

_CAIRO = re.compile(r'^bbox-?\d+_-?\d+_(\d{4})_(\d{2})$')
_SPACENET7 = re.compile(r'global_monthly_(\d{4})_(\d{2})_mosaic')
_YEAR, _MONTH, _DAY = r'(?<!\d)((?:19|20)\d\d)', r'(0[1-9]|1[0-2])', r'(0[1-9]|[12]\d|3[01])'
_PATTERNS = (
    re.compile(rf'{_YEAR}[-_.]?{_MONTH}[-_.]?{_DAY}(?!\d)'),
    re.compile(rf'{_YEAR}[-_.]?{_MONTH}(?!\d)'),
    re.compile(rf'{_YEAR}(?!\d)'),
)


def date_of(path: str | Path) -> dt.date | None:
    """Return the date that a file's name holds, None without one.

    ``bbox31750_30050_2018_00`` (a monthly median, months 00..11), SpaceNet 7's
    ``global_monthly_2018_01_mosaic_...``, else the first of ``2018-01-31``, ``20180131``,
    ``2018_01`` and ``2018``, with ``-``, ``_``, ``.`` or nothing between; a month or year without a
    day counts as its first.

    Raises:
        DataError: A month or day that does not exist.
    """
    stem = Path(path).stem
    if found := _CAIRO.match(stem):
        if int(found[2]) > 11:
            raise DataError(
                f'month {found[2]}: names bbox..._YYYY_MM count months 00..11',
                where=path,
                fix='Rename it, or give dates in a table',
            )
        return dt.date(int(found[1]), int(found[2]) + 1, 1)
    patterns = (_SPACENET7, *_PATTERNS)
    found = next((match for match in (p.search(stem) for p in patterns) if match), None)
    if found is None:
        return None
    numbers = [int(group) for group in found.groups()]
    try:
        return dt.date(*numbers, *(1,) * (3 - len(numbers)))
    except ValueError as error:
        raise DataError(
            f'no date {found[0]!r} ({error})', where=path, fix='Rename it or give dates in a table'
        ) from error


def read_dates(path: str | Path) -> dict[str, dt.date]:
    """Read a table of dates: CSV with the columns ``file`` and ``date`` (``YYYY-MM[-DD]``).

    Returns:
        Dates by file, as written there: a name, or ``cell/name``.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: A column is missing, or a date is none.
    """
    if not Path(path).is_file():
        raise DataNotFoundError('there is no such table of dates', where=path)
    with open(path, newline='', encoding='utf-8-sig') as file:
        reader = csv.DictReader(file)
        if not {'file', 'date'} <= set(reader.fieldnames or ()):
            raise DataError(
                f'columns {reader.fieldnames}', where=path, fix='Expected the columns file,date'
            )
        rows = [(row['file'] or '', row['date'] or '') for row in reader]
    dates = {}
    for line, (name, text) in enumerate(rows, start=2):
        try:
            dates[name] = dt.date.fromisoformat(text if len(text) > 7 else f'{text}-01')
        except ValueError as error:
            raise DataError(
                f'line {line}: no date {text!r}', where=path, fix='Write YYYY-MM-DD or YYYY-MM'
            ) from error
    return dates
