"""Tables that say where a chip was taken."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from rsmm.datasets.splits import stem_of
from rsmm.errors import DataError, DataNotFoundError
from rsmm.utils.foreign import parsing
from rsmm.utils.limits import check_limit

_NAME_COLUMNS = ('image_id', 'id', 'name', 'filename', 'file')
_LATITUDES = ('lat', 'latitude')
_LONGITUDES = ('lon', 'lng', 'long', 'longitude')


def read_places(path: str | Path) -> dict[str, tuple[float, float]]:
    """Read (latitude, longitude) in degrees per file stem.

    Formats: parquet or CSV with columns ``image_id``, ``lat``, ``lon``; YAML that maps a stem to
    ``[longitude, latitude, ...]`` (the order of ``eurosat_meta.yaml``).

    Raises:
        DataNotFoundError: There is no such file.
        DataError: Unknown format, a column is missing, or a coordinate is out of range.
    """
    path = Path(path)
    if not path.is_file():
        raise DataNotFoundError('there is no such metadata table', where=path, fix='Check metadata')
    readers = {'.parquet': _parquet, '.csv': _csv, '.yaml': _yaml, '.yml': _yaml}
    if path.suffix.lower() not in readers:
        raise DataError(
            f'unknown kind of metadata table {path.suffix!r}',
            where=path,
            fix=f'Known kinds: {", ".join(readers)}',
        )
    check_limit('TEXT_BYTES', path.stat().st_size, path)
    with parsing(path, 'is no table of places'):
        places = {
            stem_of(str(name)): (float(latitude), float(longitude))
            for name, latitude, longitude in readers[path.suffix.lower()](path)
        }
    for stem, (latitude, longitude) in places.items():
        if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
            raise DataError(
                f'{stem}: latitude {latitude}, longitude {longitude} are not on the globe',
                where=path,
                fix='Degrees are expected; are the two columns swapped?',
            )
    return places


def _columns(names: Iterable[str], path: Path) -> tuple[str, str, str]:
    by_lower = {name.lower(): name for name in names}
    found = []
    for wanted in (_NAME_COLUMNS, _LATITUDES, _LONGITUDES):
        column = next((by_lower[name] for name in wanted if name in by_lower), None)
        if column is None:
            raise DataError(
                f'no column {" or ".join(wanted)} among {", ".join(by_lower.values())}', where=path
            )
        found.append(column)
    name, latitude, longitude = found
    return name, latitude, longitude


def _parquet(path: Path) -> Iterable[tuple]:
    import pandas as pd

    table = pd.read_parquet(path)
    return table[list(_columns(table.columns, path))].itertuples(index=False)


def _csv(path: Path) -> Iterable[tuple]:
    with open(path, newline='', encoding='utf-8-sig') as file:
        rows = csv.DictReader(file)
        columns = _columns(rows.fieldnames or (), path)
        return [tuple(row[column] for column in columns) for row in rows]


def _yaml(path: Path) -> Iterable[tuple]:
    import yaml

    # The C loader reads the 27,000 entries ten times faster where libyaml is present.
    loader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
    with open(path, encoding='utf-8') as file:
        table = yaml.load(file, Loader=loader)
    if not isinstance(table, dict):
        raise DataError('expected a mapping of file stem to [lng, lat]', where=path)
    return [(stem, place[1], place[0]) for stem, place in table.items()]
