"""Which classes are taken for which: the confusion matrix as a figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from rsmm.visualization.predictions import Predictions
from rsmm.visualization.style import INK, MUTED, RULE, new_figure

# Beyond this many classes the numbers would be too small to read.
_MOST_NUMBERED = 25


def confusion_counts(truth: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Count samples per true (row) and predicted (column) class, ``(K, K)`` int64.

    Args:
        truth: True classes, ``(N,)``.
        predicted: Predicted classes, ``(N,)``.
        num_classes: Number of classes K.
    """
    cells = truth.astype(np.int64) * num_classes + predicted.astype(np.int64)
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def draw_confusion(predictions: Predictions) -> Figure:
    """Draw the confusion matrix of predictions: shares of each true class, counts below them."""
    classes = predictions.classes
    counts = confusion_counts(predictions.truth, predictions.predicted, len(classes))
    return draw_confusion_counts(counts, classes)


def draw_confusion_counts(counts: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw a confusion matrix.

    Args:
        counts: Samples per true (row) and predicted (column) class, ``(K, K)``.
        classes: K names.
    """
    size = len(classes)
    support = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(support, 1)
    side = min(max(2.8 + 0.52 * size, 5), 16)
    figure = new_figure(side, side)
    axes = figure.add_subplot()
    axes.imshow(shares, cmap='Blues', vmin=0, vmax=1)
    if size <= _MOST_NUMBERED:
        _write_numbers(axes, counts, shares)
    labels = [f'{name} ({n})' for name, n in zip(classes, support[:, 0], strict=True)]
    axes.set_xticks(range(size), classes, rotation=45, ha='right', rotation_mode='anchor')
    axes.set_yticks(range(size), labels)
    axes.tick_params(length=0, labelsize=8, colors=INK)
    axes.set_xticks(np.arange(size + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(size + 1) - 0.5, minor=True)
    axes.grid(which='minor', color=RULE, linewidth=0.6)
    axes.tick_params(which='minor', length=0)
    for spine in axes.spines.values():
        spine.set_color(RULE)
    axes.set_xlabel('predicted', color=MUTED, size=9)
    axes.set_ylabel('true (samples)', color=MUTED, size=9)
    total = max(int(counts.sum()), 1)
    axes.set_title(
        f'{np.trace(counts) / total:.1%} of {counts.sum()} samples right; per cent of each row',
        size=10, color=INK, loc='left',
    )  # fmt: skip
    return figure


def _write_numbers(axes, counts: np.ndarray, shares: np.ndarray) -> None:
    for row, column in np.argwhere(counts > 0):
        share = shares[row, column]
        colour = 'white' if share > 0.55 else INK
        percent = f'{100 * share:.0f}' if share >= 0.005 else '<1'
        axes.text(column, row - 0.1, percent, ha='center', va='center', size=9, color=colour)
        axes.text(
            column, row + 0.27, str(counts[row, column]),
            ha='center', va='center', size=6, color=colour, alpha=0.8,
        )  # fmt: skip
