"""Labels of change events in a table."""

from __future__ import annotations

import csv
from os import PathLike
from pathlib import Path

from rsmm.errors import DataError, DataNotFoundError


def read_event_labels(path: str | PathLike, column: str = 'label') -> dict[str, str]:
    """Read a label for each event: CSV with a column ``event`` and one of labels.

    ``events.csv`` of the discovery is one, with ``column='kind'``. Rows with an empty label are as
    if they were not there.

    Args:
        path: CSV file.
        column: Column of the labels.

    Returns:
        Label by event.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: A column is missing, an event has two labels, or there are none at all.
    """
    if not Path(path).is_file():
        raise DataNotFoundError('there is no such table of labels', where=path)
    labels: dict[str, str] = {}
    with open(path, newline='', encoding='utf-8-sig') as file:
        reader = csv.DictReader(file)
        columns = reader.fieldnames or []
        for name in ('event', column):
            if name not in columns:
                raise DataError(
                    f'has no column {name!r} among {", ".join(columns)}',
                    where=path,
                    fix='Write event,label, or name the column of labels',
                )
        for row in reader:
            event, label = (row['event'] or '').strip(), (row[column] or '').strip()
            if not event or not label:
                continue
            if labels.setdefault(event, label) != label:
                raise DataError(
                    f'{event} is {labels[event]} and {label}',
                    where=f'{path}, line {reader.line_num}',
                )
    if not labels:
        raise DataError('holds no labels', where=path)
    return labels
