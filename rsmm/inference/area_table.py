"""Counting the classes of a map while it is written, and the table of their areas."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from rsmm.datasets.transforms.gaps import IGNORE
from rsmm.errors import DataError, DataNotFoundError
from rsmm.evaluation.functional.areas import adjusted_areas
from rsmm.geo.ground import pixel_hectares

COLUMNS = (
    'value', 'class', 'pixels', 'share', 'area_ha', 'adjusted_ha', 'margin_ha', 'users_accuracy',
    'producers_accuracy',
)  # fmt: skip


class AreaCounter:
    """Counts values of a map in cells whose pixels have one size on the ground.

    Args:
        shape: (H, W) of the map.
        place: See :func:`rsmm.geo.ground.on_map`.
    """

    def __init__(self, shape: tuple[int, int], place: Mapping) -> None:
        (self._rows, columns), self._hectares = pixel_hectares(shape, place)
        self._cell = np.searchsorted(columns, np.arange(shape[1]), side='right') - 1
        self._counts = np.zeros((len(self._rows) - 1, len(columns) - 1, 256), np.int64)

    def add(self, start: int, labels: np.ndarray) -> None:
        """Count rows (h, W) uint8 from row ``start`` on."""
        rows = np.arange(start, start + len(labels))
        cells = np.searchsorted(self._rows, rows, side='right') - 1
        for cell in np.unique(cells):
            part = labels[cells == cell]
            found = np.bincount(
                (self._cell * 256 + part).ravel(), minlength=self._counts[cell].size
            )
            self._counts[cell] += found.reshape(self._counts[cell].shape)

    @property
    def pixels(self) -> np.ndarray:
        """Pixels of each value, (256,) int64."""
        return self._counts.sum(axis=(0, 1))

    @property
    def hectares(self) -> np.ndarray:
        """Hectares of each value, (256,) float64; NaN without a place."""
        return (self._counts * self._hectares[..., None]).sum(axis=(0, 1))

    @property
    def valid(self) -> float:
        """Share of the pixels that have data."""
        pixels = self.pixels
        return 1 - float(pixels[IGNORE]) / max(1, int(pixels.sum()))


def area_table(
    counter: AreaCounter,
    classes: Sequence[str],
    ignored: Sequence[int] = (),
    confusion: np.ndarray | None = None,
) -> list[dict]:
    """Return a row per class, see :data:`COLUMNS`; what cannot be known is None.

    Args:
        counter: Of the map.
        classes: Names of the values.
        ignored: Classes that are left out.
        confusion: (K, K) validation counts, rows mapped, columns reference, over the classes that
            are not ignored or over all. Areas are then adjusted, with 95 % margins.

    Raises:
        DataError: A matrix of another size, or without enough samples of a mapped class.
    """
    kept = [label for label in range(len(classes)) if label not in ignored]
    pixels, hectares = counter.pixels[kept], counter.hectares[kept]
    total = max(1, int(pixels.sum()))
    table = [
        {
            'value': label,
            'class': classes[label],
            'pixels': int(pixels[k]),
            'share': int(pixels[k]) / total,
            'area_ha': float(hectares[k]) if np.isfinite(hectares[k]) else None,
        }
        for k, label in enumerate(kept)
    ]
    found = None
    if confusion is not None and pixels.sum():
        if confusion.shape == (len(classes),) * 2:
            confusion = confusion[np.ix_(kept, kept)]
        mapped = hectares if np.isfinite(hectares).all() else pixels.astype(float)
        found = adjusted_areas(confusion, mapped)
    in_hectares = np.isfinite(hectares).all()
    for k, row in enumerate(table):
        adjusted = found is not None and in_hectares
        row['adjusted_ha'] = float(found.area[k]) if adjusted else None
        row['margin_ha'] = float(found.margin[k]) if adjusted else None
        for name in ('users', 'producers'):
            value = np.nan if found is None else getattr(found, name)[k]
            row[f'{name}_accuracy'] = float(value) if np.isfinite(value) else None
    return table


def table_text(rows: Sequence[Mapping], columns: Sequence[str] = COLUMNS) -> str:
    """Return rows as CSV: numbers with six digits, nothing where nothing is known."""
    text = io.StringIO(newline='')
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(columns)
    for row in rows:
        values = [row.get(column) for column in columns]
        writer.writerow([f'{v:.6g}' if isinstance(v, float) else v for v in values])
    return text.getvalue()


def read_confusion(path: str | PathLike, classes: Sequence[str]) -> np.ndarray:
    """Read a confusion matrix of a validation: rows mapped classes, columns reference classes.

    Args:
        path: CSV whose first row and column name the classes, or JSON: ``{"classes": [...],
            "matrix": [[...]]}`` or the bare matrix. Named classes may stand in any order.
        classes: Names in label order.

    Returns:
        (K, K) float64 counts, 0 for classes that the file does not name.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: No square matrix of numbers, or a class that the model does not have.
    """
    path = Path(path)
    if not path.is_file():
        raise DataNotFoundError('there is no such file', where=path)
    try:
        text = path.read_text(encoding='utf-8-sig')
        names, matrix = _from_json(text) if text.lstrip()[:1] in '{[' else _from_csv(text)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise DataError(f'is no confusion matrix ({error})', where=path) from error
    if names is None:
        names = list(classes)
    if matrix.shape != (len(names),) * 2:
        raise DataError(f'is of shape {matrix.shape} for {len(names)} classes', where=path)
    unknown = [name for name in names if name not in classes]
    if unknown:
        raise DataError(
            f'names the class {unknown[0]!r}', where=path, fix=f'Known: {", ".join(classes)}'
        )
    index = [list(classes).index(name) for name in names]
    whole = np.zeros((len(classes),) * 2)
    whole[np.ix_(index, index)] = matrix
    return whole


def _from_json(text: str) -> tuple[list[str] | None, np.ndarray]:
    found = json.loads(text)
    names = None
    if isinstance(found, dict):
        names, found = [str(name) for name in found['classes']], found['matrix']
    return names, np.array(found, np.float64)


def _from_csv(text: str) -> tuple[list[str], np.ndarray]:
    rows = [row for row in csv.reader(text.splitlines()) if row]
    names = [name.strip() for name in rows[0][1:]]
    if [row[0].strip() for row in rows[1:]] != names:
        raise ValueError('first row and first column name different classes')
    return names, np.array([[float(value) for value in row[1:]] for row in rows[1:]])
