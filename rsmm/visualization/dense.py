"""Panels of maps: images, truth, output, errors in colour, and a legend of the classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from rsmm.datasets.transforms.labels import IGNORE, index_to_colours
from rsmm.visualization.style import PlainFigure

#: Colours of right change, false alarm, miss, and pixels that do not count.
CHANGE_COLOURS = {
    'found': (255, 255, 255),
    'false alarm': (230, 75, 53),
    'missed': (60, 160, 235),
    'not counted': (90, 90, 90),
}


def change_errors(pred: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Colour right change white, false alarms red and misses blue, (H, W, 3) uint8.

    Args:
        pred: (H, W), 0 or 1.
        truth: (H, W), 0, 1 or 255.
    """
    picture = np.zeros((*truth.shape, 3), np.uint8)
    changed, found = truth == 1, pred == 1
    picture[changed & found] = CHANGE_COLOURS['found']
    picture[~changed & found] = CHANGE_COLOURS['false alarm']
    picture[changed & ~found] = CHANGE_COLOURS['missed']
    picture[truth == IGNORE] = CHANGE_COLOURS['not counted']
    return picture


def class_errors(pred: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Colour wrong pixels red, right ones pale, and those that do not count gray."""
    picture = np.full((*truth.shape, 3), 235, np.uint8)
    picture[pred != truth] = CHANGE_COLOURS['false alarm']
    picture[truth == IGNORE] = CHANGE_COLOURS['not counted']
    return picture


def draw_change(
    dates: Sequence[np.ndarray],
    truth: np.ndarray | None,
    predictions: Mapping[str, np.ndarray],
    titles: Sequence[str] = ('before', 'after'),
) -> Figure:
    """Draw one scene: both dates, the truth, and one column of errors per model.

    Args:
        dates: Two pictures (H, W, 3) uint8, or none of them.
        truth: (H, W), or None.
        predictions: Name of the model to its map (H, W).
        titles: Of the dates.
    """
    columns = list(zip(titles, dates, strict=True))
    if truth is not None:
        columns.append(('truth', index_to_colours(truth, ((0, 0, 0), (255, 255, 255)))))
    for name, pred in predictions.items():
        # Without truth nothing is known to be wrong: show the map as it is.
        shown = change_errors(pred, pred if truth is None else truth)
        columns.append((name, shown))
    figure = _row(columns)
    if truth is not None:
        _legend(figure, CHANGE_COLOURS)
    return figure


def draw_classes(
    image: np.ndarray,
    truth: np.ndarray | None,
    pred: np.ndarray,
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
) -> Figure:
    """Draw an image, its true classes, the predicted ones and the errors, with a legend.

    Args:
        image: Picture (H, W, 3) uint8.
        truth: (H, W) with 255 where nothing counts, or None.
        pred: (H, W).
        classes: Names.
        palette: Colours.
    """
    columns = [('image', image)]
    if truth is not None:
        columns.append(('truth', index_to_colours(truth, palette)))
    columns.append(('prediction', index_to_colours(pred, palette)))
    if truth is not None:
        columns.append(('errors', class_errors(pred, truth)))
    shown = np.unique([*np.unique(pred), *(() if truth is None else np.unique(truth))])
    figure = _row(columns)
    _legend(figure, {classes[k]: palette[k] for k in shown if k < len(classes)})
    return figure


def _row(columns: Sequence[tuple[str, np.ndarray]]) -> Figure:
    height, width = columns[0][1].shape[:2]
    side = 2.6
    figure = PlainFigure(figsize=(side * len(columns), side * height / width + 0.8), dpi=110)
    axes = figure.subplots(1, len(columns), squeeze=False)[0]
    for axis, (title, picture) in zip(axes, columns, strict=True):
        axis.imshow(picture, interpolation='nearest')
        axis.set_title(title, fontsize=9)
        axis.set_axis_off()
    figure.subplots_adjust(0.01, 0.16, 0.99, 0.92, 0.03)
    return figure


def _legend(figure: Figure, colours: Mapping[str, Sequence[int]]) -> None:
    handles = [
        Patch(facecolor=(red / 255, green / 255, blue / 255), edgecolor='gray', label=name)
        for name, (red, green, blue) in colours.items()
    ]
    figure.legend(handles=handles, loc='lower center', ncols=min(6, len(handles)), fontsize=7)


def draw_dense_sample(inputs, sample, metainfo: Mapping) -> Figure:
    """Draw a predicted data sample of a segmentation model or a change detector.

    Args:
        inputs: Input of the model before normalisation: (C, H, W), a pair of them, or a series
            (T, C, H, W), of which the middle date is shown.
        sample: With ``pred_sem_seg`` and, if known, ``gt_sem_seg``.
        metainfo: Of the dataset: ``classes``, ``palette`` and ``bands``.
    """
    from rsmm.visualization.composite import composite

    bands = sample.get('bands') or metainfo['bands']
    pred = sample.pred_sem_seg.data[0].cpu().numpy()
    truth = sample.gt_sem_seg.data[0].cpu().numpy() if 'gt_sem_seg' in sample else None
    if isinstance(inputs, list | tuple):
        pictures = [composite(date.permute(1, 2, 0).numpy(), bands) for date in inputs]
        titles = sample.get('dates') or ('before', 'after')
        return draw_change(pictures, truth, {'prediction': pred}, titles)
    image = inputs[len(inputs) // 2] if inputs.ndim == 4 else inputs
    picture = composite(image.permute(1, 2, 0).numpy(), bands)
    return draw_classes(picture, truth, pred, metainfo['classes'], metainfo['palette'])
