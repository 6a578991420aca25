"""The table of a folder of predictions: one row per scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rsmm.inference.area_table import table_text
from rsmm.utils import atomic_write

_COLUMNS = (
    'scene', 'kind', 'width', 'height', 'crs', 'gsd', 'valid', 'polygons', 'objects', 'warnings',
)  # fmt: skip


def write_summary(path: Path, records: Sequence[Mapping]) -> None:
    """Write facts of each scene, and the share of each class that any of them has.

    Args:
        path: CSV file.
        records: See :func:`rsmm.inference.map_files.write_scene`.
    """
    classes = list(dict.fromkeys(row['class'] for one in records for row in one['areas']))
    rows = []
    for one in sorted(records, key=lambda record: record['scene']):
        shares = {f'share {row["class"]}': row['share'] for row in one['areas']}
        rows.append({**one, **shares, 'warnings': '; '.join(one['warnings'])})
    columns = (*_COLUMNS, *(f'share {name}' for name in classes))
    with atomic_write(path, 'w', encoding='utf-8') as file:
        file.write(table_text(rows, columns))
