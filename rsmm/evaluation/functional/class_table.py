"""The scores of each class of a map as a table to read in the log."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from rsmm.evaluation.functional.segmentation import seg_scores

COLUMNS = ('class', 'IoU', 'F1', 'precision', 'recall', 'pixels')


def class_table(
    matrix: np.ndarray,
    classes: Sequence[str],
    ignore: int | Collection[int] | None = None,
    include_background: bool = True,
    background: int = 0,
) -> str:
    """Lay out IoU, F1, precision and recall (percent) and the pixels of each class.

    Args:
        matrix: (K, K) pixels, rows the truth, columns the prediction.
        classes: K names.
        ignore: Classes that are no classes; left out of the table.
        include_background: False leaves ``background`` out as well.
        background: Label of the background.

    Returns:
        Aligned lines; ``-`` where a class occurs neither in the truth nor in the prediction.
    """
    scores: Any = seg_scores(matrix, ignore, include_background, background)
    left_out = {ignore} if isinstance(ignore, int) else set(ignore or ())
    if not include_background:
        left_out.add(background)
    support = np.asarray(matrix).sum(axis=1)
    rows: list[tuple[str, ...]] = [COLUMNS]
    for label, name in enumerate(classes):
        if label in left_out:
            continue
        values = [scores[key][label] for key in ('iou', 'f1', 'precision', 'recall')]
        shown = ['-' if np.isnan(value) else f'{100 * value:.1f}' for value in values]
        rows.append((name, *shown, str(int(support[label]))))
    width = [max(len(row[k]) for row in rows) for k in range(len(COLUMNS))]
    return '\n'.join(
        '  '.join(
            [row[0].ljust(width[0])]
            + [cell.rjust(size) for cell, size in zip(row[1:], width[1:], strict=True)]
        )
        for row in rows
    )
