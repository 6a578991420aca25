"""What a classifier said about each image: reading the dump of a test, and a page of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import PurePath

import numpy as np
from matplotlib.figure import Figure

from rsmm.errors import DataError, DataNotFoundError
from rsmm.utils.foreign import parsing, read_json
from rsmm.visualization.composite import composite
from rsmm.visualization.style import MUTED, RIGHT, WRONG, new_figure

# More than any data set has; a damaged number would make as many names.
_MOST_CLASSES = 1_000_000


@dataclass(frozen=True)
class Predictions:
    """Predictions of a classifier for N images.

    Attributes:
        paths: Image files.
        truth: True classes, ``(N,)`` int64.
        predicted: Predicted classes, ``(N,)`` int64.
        scores: Scores of the K classes, ``(N, K)``, or None.
        classes: K class names.
    """

    paths: tuple[str, ...]
    truth: np.ndarray
    predicted: np.ndarray
    scores: np.ndarray | None
    classes: tuple[str, ...]

    @property
    def confidence(self) -> np.ndarray:
        """Score of the predicted class, ``(N,)``; 1 where no scores were dumped."""
        if self.scores is None:
            return np.ones(len(self.paths))
        return self.scores[np.arange(len(self.paths)), self.predicted]


def read_predictions(path: str | PathLike, classes: Sequence[str] | None = None) -> Predictions:
    """Read what ``tools/test.py --out FILE.json`` wrote for a classifier.

    Args:
        path: The JSON file.
        classes: Class names; default: the images' folders where each stands for one class, else
            numbers.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: The file is no dump of a classifier, or names do not fit the classes in it.
    """
    samples = _read_dump(path)
    how = 'Write it with tools/test.py CONFIG CHECKPOINT --out FILE.json'
    with parsing(path, 'is no dump of a classifier', how):
        truth = np.array([int(np.squeeze(sample['gt_label'])) for sample in samples])
        predicted = np.array([int(np.squeeze(sample['pred_label'])) for sample in samples])
        paths = tuple(str(sample.get('img_path', '')) for sample in samples)
        scored = all('pred_score' in sample for sample in samples)
        scores = np.array([sample['pred_score'] for sample in samples]) if scored else None
        if scores is not None and (scores.ndim != 2 or scores.dtype.kind not in 'fiu'):
            raise ValueError(f'scores of shape {scores.shape}')
        numbers = np.concatenate([truth, predicted])
        if not 0 <= numbers.min() <= numbers.max() < _MOST_CLASSES:
            raise ValueError(f'classes {numbers.min()} to {numbers.max()}')
    count = 1 + max(truth.max(), predicted.max())
    count = max(count, scores.shape[1]) if scores is not None else count
    names = tuple(classes) if classes else _folder_names(paths, truth, count)
    if len(names) < count:
        raise DataError(
            f'holds {count} classes, {len(names)} names were given ({", ".join(names[:4])}, ...)',
            where=path,
        )
    return Predictions(paths, truth, predicted, scores, names)


def _read_dump(path: str | PathLike) -> list[dict]:
    how = 'Write it with tools/test.py CONFIG CHECKPOINT --out FILE.json'
    try:
        samples = read_json(path, object, fix=how)
    except DataNotFoundError as error:
        raise DataNotFoundError('there is no such file', where=path, fix=how) from error
    if not isinstance(samples, list) or not samples or not isinstance(samples[0], dict):
        raise DataError('expected a list of samples, found none', where=path)
    return samples


def _folder_names(paths: Sequence[str], truth: np.ndarray, count: int) -> tuple[str, ...]:
    """Name classes after the folders of their images where that is unambiguous."""
    seen: dict[int, set[str]] = {}
    for path, label in zip(paths, truth.tolist(), strict=True):
        seen.setdefault(label, set()).add(PurePath(path).parent.name)
    folders = [next(iter(names)) for names in seen.values() if len(names) == 1]
    if len(seen) < count or len(folders) < len(seen) or len(set(folders)) < len(folders):
        return tuple(str(label) for label in range(count))
    return tuple(next(iter(seen[label])) for label in range(count))


def pick_samples(predictions: Predictions, num: int) -> np.ndarray:
    """Choose what a page shows: mistakes first, the surest ahead, then right ones class by class.

    At most three quarters of the page are mistakes when there are enough right ones.

    Args:
        predictions: All predictions.
        num: Number of places.

    Returns:
        Positions, at most ``num``.
    """
    confidence = predictions.confidence
    wrong = np.flatnonzero(predictions.predicted != predictions.truth)
    wrong = wrong[np.argsort(-confidence[wrong], kind='stable')]
    right = _by_turns(predictions, np.flatnonzero(predictions.predicted == predictions.truth))
    room = max(num - len(right), round(0.75 * num))
    wrong = wrong[:room]
    return np.concatenate([wrong, right[: num - len(wrong)]]).astype(np.int64)


def _by_turns(predictions: Predictions, index: np.ndarray) -> np.ndarray:
    """Order samples so that the classes take turns."""
    turns = np.zeros(len(index), np.int64)
    truth = predictions.truth[index]
    for label in np.unique(truth):
        members = np.flatnonzero(truth == label)
        turns[members] = np.arange(len(members))
    return index[np.lexsort((truth, turns))]


def draw_predictions(
    predictions: Predictions,
    num: int = 40,
    columns: int = 8,
    order: str | Sequence[str] | None = None,
    show: Sequence[str] | None = None,
) -> Figure:
    """Draw a page of images with prediction and truth, mistakes first and in red.

    Args:
        predictions: All predictions; their image files must be there.
        num: Number of images.
        columns: Images per row.
        order: Bands of the files where they do not name them, e.g. ``'eurosat'``.
        show: One or three bands to show; default natural colour.

    Raises:
        DataNotFoundError: An image file is absent.
        DataError: An image cannot be read, or lacks a band to show.
    """
    chosen = pick_samples(predictions, num)
    columns = min(columns, max(len(chosen), 1))
    rows = max(-(-len(chosen) // columns), 1)
    figure = new_figure(1.5 * columns, 1.85 * rows + 0.4)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, position in zip(panels, chosen, strict=False):
        axes.imshow(_picture(predictions.paths[position], order, show), interpolation='nearest')
        same = predictions.predicted[position] == predictions.truth[position]
        axes.set_title(_caption(predictions, position), size=7, color=RIGHT if same else WRONG)
    wrong = int((predictions.predicted != predictions.truth).sum())
    figure.suptitle(
        f'{wrong} of {len(predictions.paths)} wrong (shown first, surest ahead)',
        size=9, color=MUTED, x=0.01, ha='left',
    )  # fmt: skip
    return figure


def _picture(path: str, order, show) -> np.ndarray:
    from rsmm.geo.raster import read_raster
    from rsmm.sensors import resolve_bands

    image, found = read_raster(path, None if order is None else resolve_bands(order))
    return composite(image, found['bands'], show)


def _caption(predictions: Predictions, position: int) -> str:
    predicted = predictions.classes[predictions.predicted[position]]
    truth = predictions.classes[predictions.truth[position]]
    score = '' if predictions.scores is None else f' {predictions.confidence[position]:.0%}'
    second = 'right' if predicted == truth else f'is {truth}'
    return f'{predicted}{score}\n{second}'
