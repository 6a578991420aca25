"""Precision, recall and F1 of each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rsmm.errors import DataError
from rsmm.utils.text import markdown_cell

#: Columns of a report.
COLUMNS = ('class', 'precision', 'recall', 'f1', 'support')


def class_report(
    truth: np.ndarray, predicted: np.ndarray, classes: Sequence[str]
) -> list[tuple[str, float, float, float, int]]:
    """Return one row per class and one of macro means, all in per cent.

    A class that is never predicted has precision 0, one without samples recall 0; classes with
    neither samples nor predictions do not enter the means.

    Args:
        truth: True classes, ``(N,)``.
        predicted: Predicted classes, ``(N,)``.
        classes: K class names.

    Returns:
        Rows of :data:`COLUMNS`; the last one is ``'macro mean'`` with all samples as support.

    Raises:
        DataError: No samples, or labels outside the K classes.
    """
    from sklearn.metrics import precision_recall_fscore_support

    if len(truth) == 0 or len(truth) != len(predicted):
        raise DataError(f'got {len(truth)} true and {len(predicted)} predicted labels')
    if max(np.max(truth), np.max(predicted)) >= len(classes):
        raise DataError(
            f'label {max(np.max(truth), np.max(predicted))} is beyond the {len(classes)} classes'
        )
    values = precision_recall_fscore_support(
        truth, predicted, labels=range(len(classes)), zero_division=0
    )
    columns = [100 * np.asarray(column) for column in values[:3]]
    support = np.asarray(values[3])
    rows = [
        (name, float(columns[0][k]), float(columns[1][k]), float(columns[2][k]), int(support[k]))
        for k, name in enumerate(classes)
    ]
    present = (support > 0) | np.isin(np.arange(len(classes)), predicted)
    precision, recall, f1 = (float(column[present].mean()) for column in columns)
    return [*rows, ('macro mean', precision, recall, f1, len(truth))]


def balanced_accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean recall of the classes that occur, 0..1: each counts the same, however rare.

    Args:
        truth: True classes, ``(N,)``.
        predicted: Predicted classes, ``(N,)``.

    Raises:
        DataError: No samples, or lengths that differ.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    if len(truth) == 0 or len(truth) != len(predicted):
        raise DataError(f'got {len(truth)} true and {len(predicted)} predicted labels')
    recalls = [(predicted[truth == k] == k).mean() for k in np.unique(truth)]
    return float(np.mean(recalls))


def format_report(rows: Sequence[tuple], markdown: bool = False) -> str:
    """Lay out a report as an aligned table or as Markdown.

    Args:
        rows: Result of :func:`class_report`.
        markdown: GitHub table instead of plain columns.
    """
    cells = [COLUMNS] + [
        (
            markdown_cell(name) if markdown else name,
            *(f'{value:.1f}' for value in numbers),
            str(support),
        )
        for name, *numbers, support in rows
    ]
    width = [max(len(row[k]) for row in cells) for k in range(len(COLUMNS))]
    lines = []
    for row in cells:
        padded = [row[0].ljust(width[0])]
        padded += [cell.rjust(size) for cell, size in zip(row[1:], width[1:], strict=True)]
        lines.append(f'| {" | ".join(padded)} |' if markdown else '  '.join(padded))
    if markdown:
        rule = ['-' * width[0]] + ['-' * (size - 1) + ':' for size in width[1:]]
        lines.insert(1, f'| {" | ".join(rule)} |')
    return '\n'.join(lines)
