"""Rows of CSV, Parquet and GeoParquet tables of images."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from rsmm.errors import DataError, DataNotFoundError
from rsmm.utils.foreign import parsing
from rsmm.utils.limits import check_limit

#: What the columns may be called; the first is the name used in the documentation.
COLUMNS = {
    'path': ('path', 'image', 'img_path', 'file', 'filename', 'image_id'),
    'label': ('label', 'labels', 'class'),
    'latitude': ('latitude', 'lat'),
    'longitude': ('longitude', 'lon', 'lng', 'long'),
    'date': ('date', 'acquisition_date', 'time'),
    'split': ('split',),
}


def label_text(cell: object) -> str:
    """Text of a label cell; a column of numbers with gaps holds floats, and 3.0 means 3."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def read_rows(path: str | Path) -> Iterator[tuple[int, dict]]:
    """Read a table row by row, with its columns under the names of :data:`COLUMNS`.

    Args:
        path: ``.csv``, ``.parquet`` or ``.geoparquet``.

    Yields:
        Row number as an editor shows it (a CSV's header is row 1) and the cells.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: Another kind of file, or no column that names the image.
    """
    path = Path(path)
    if not path.is_file():
        raise DataNotFoundError('there is no such table', where=path)
    readers = {'.csv': _csv_rows, '.parquet': _parquet_rows, '.geoparquet': _parquet_rows}
    if path.suffix.lower() not in readers:
        raise DataError(
            f'unknown kind of table {path.suffix!r}',
            where=path,
            fix=f'Known kinds: {", ".join(readers)}',
        )
    check_limit('TEXT_BYTES', path.stat().st_size, path)
    with parsing(path, 'is no table of images'):
        columns, rows = readers[path.suffix.lower()](path)
    lower = {str(name).lower(): name for name in columns}
    found = {
        name: next((lower[other] for other in others if other in lower), None)
        for name, others in COLUMNS.items()
    }
    if found['path'] is None:
        raise DataError(f'no column path among {", ".join(map(str, columns))}', where=path)
    for number, row in rows:
        yield number, {name: row[column] for name, column in found.items() if column is not None}


def _csv_rows(path: Path) -> tuple[list[str], list[tuple[int, dict]]]:
    with open(path, newline='', encoding='utf-8-sig') as file:
        reader = csv.DictReader(file)
        rows = [(reader.line_num, row) for row in reader]
    return list(reader.fieldnames or ()), rows


def _parquet_rows(path: Path) -> tuple[list[str], list[tuple[int, dict]]]:
    import pandas as pd
    from pyarrow.parquet import read_schema

    if b'geo' in (read_schema(path).metadata or {}):
        import geopandas as gpd

        table = gpd.read_parquet(path)
        points = table.geometry.representative_point().to_crs('EPSG:4326')
        table = pd.DataFrame(table.drop(columns=table.geometry.name))
        table = table.assign(latitude=points.y, longitude=points.x)
    else:
        table = pd.read_parquet(path)
    return list(table.columns), list(enumerate(table.to_dict('records')))
