"""Events: what the components of a label volume become on the frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from rsmm.errors import DataError

#: Cloud probability above which a pixel is cloud, of 255.
CLOUDY = 127.5
# D1 of the last frame and D2 of the last two have no partner: nothing found there means anything.
_TAIL = 2


@dataclass(frozen=True, eq=False)
class Event:
    """One change event of one place.

    Attributes:
        label: Number in the label volume, from 1.
        box: ``(y0, x0, y1, x1)``, half-open, in pixels of the full frame; square wherever the
            frame is large enough.
        months: First and last frame with a mask, inclusive; mask t says what changed from frame
            t to frame t + 1.
        masks: ``(months, side, side)`` bool, the changed pixels inside the box.
        voxels: Changed voxels on the feature grid, clouds included.
        place: Name of the cell, empty if unknown.
        score: See :func:`event_scores`; None where nobody asked.
    """

    label: int
    box: tuple[int, int, int, int]
    months: tuple[int, int]
    masks: np.ndarray
    voxels: int
    place: str = ''
    score: float | None = None

    @property
    def pixels(self) -> int:
        """Changed pixels of the full frame, each counted once for every frame it changed in."""
        return int(self.masks.sum())

    @property
    def footprint(self) -> np.ndarray:
        """``(side, side)`` bool, the pixels of the box that changed at any time."""
        return np.asarray(self.masks.any(axis=0))


def square_box(
    y0: int, x0: int, y1: int, x1: int, size: int | tuple[int, int]
) -> tuple[int, int, int, int]:
    """Grow the shorter side of a box about its centre until it is square, and keep it inside.

    An odd growth puts the extra pixel on the high side. A box that leaves the frame is shifted,
    not shrunk; only where the frame itself is smaller does the side end with it.

    Args:
        y0, x0, y1, x1: Box, half-open, inside the frame.
        size: Side of the frame, or ``(height, width)``.

    Raises:
        DataError: A box that is empty or not inside the frame.
    """
    height, width = (size, size) if isinstance(size, int) else size
    if not (0 <= y0 < y1 <= height and 0 <= x0 < x1 <= width):
        raise DataError(f'box {(y0, x0, y1, x1)} is empty or outside a frame {height} x {width}')
    side = max(y1 - y0, x1 - x0)
    top, bottom = _grow(y0, y1, side, height)
    left, right = _grow(x0, x1, side, width)
    return top, left, bottom, right


def _grow(low: int, high: int, side: int, size: int) -> tuple[int, int]:
    side = min(side, size)
    start = low - (side - (high - low)) // 2
    start = min(max(start, 0), size - side)
    return int(start), int(start + side)


def cut_events(
    labels: np.ndarray,
    clouds: np.ndarray | None = None,
    min_voxels: int = 400,
    min_pixels: int = 1600,
    min_clear: int = 400,
    scale: int = 2,
) -> list[Event]:
    """Turn a label volume into events on the full frames.

    The last two frames are ignored. An event has more than ``min_voxels`` voxels on the grid,
    more than ``min_pixels`` on the frame and, if cloud images are given, more than ``min_clear``
    of them left where neither frame t nor t + 1 is cloudy.

    Args:
        labels: ``(T, H, W)`` int, 0 = none, on the feature grid.
        clouds: ``(T, H * scale, W * scale)``, 0..255; above 127.5 is cloud.
        min_voxels: Grid voxels that are not enough.
        min_pixels: Frame pixels that are not enough.
        min_clear: Cloud-free frame pixels that are not enough.
        scale: Frame pixels per grid cell along each side.

    Returns:
        Events by label.

    Raises:
        DataError: Shapes that do not fit.
    """
    _check_volume(labels, clouds, scale)
    labels = labels[: max(len(labels) - _TAIL, 0)]
    if labels.size == 0:
        return []
    sizes = np.bincount(labels.ravel(), minlength=1)
    events = []
    for label, place in enumerate(ndimage.find_objects(labels), start=1):
        voxels = 0 if place is None else int(sizes[label])
        if voxels <= min_voxels or voxels * scale * scale <= min_pixels:
            continue
        event = _cut(labels, label, place, voxels, scale)
        if clouds is not None:
            event = _clear(event, clouds)
        if clouds is None or event.pixels > min_clear:
            events.append(event)
    return events


def _check_volume(labels: np.ndarray, clouds: np.ndarray | None, scale: int) -> None:
    if labels.ndim != 3 or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f'labels are (T, H, W) integers, got {labels.shape} {labels.dtype}')
    if labels.size and labels.min() < 0:
        raise DataError('labels are 0 (none) or positive', fix='Add 1 to labels that start at -1')
    full = (len(labels), labels.shape[1] * scale, labels.shape[2] * scale)
    if clouds is not None and clouds.shape != full:
        raise DataError(
            f'clouds are {full} at scale {scale}, got {clouds.shape}',
            fix='Give one cloud image per frame, at the size of the frame',
        )


def _cut(
    labels: np.ndarray, label: int, place: tuple[slice, ...], voxels: int, scale: int
) -> Event:
    times, rows, columns = place
    y0, x0, y1, x1 = square_box(
        rows.start, columns.start, rows.stop, columns.stop, labels.shape[1:]
    )
    masks = labels[times, y0:y1, x0:x1] == label
    masks = masks.repeat(scale, axis=1).repeat(scale, axis=2)
    box = (scale * y0, scale * x0, scale * y1, scale * x1)
    return Event(label, box, (times.start, times.stop - 1), masks, voxels)


def _clear(event: Event, clouds: np.ndarray) -> Event:
    (first, last), (y0, x0, y1, x1) = event.months, event.box
    cloudy = clouds[first : last + 2, y0:y1, x0:x1] > CLOUDY
    return replace(event, masks=event.masks & ~cloudy[:-1] & ~cloudy[1:])


def label_means(labels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the mean of values over each label, ``(max + 1,)`` float64; 0 where it is absent."""
    flat = labels.ravel()
    sums = np.bincount(flat, weights=np.asarray(values, np.float64).ravel())
    return sums / np.maximum(np.bincount(flat), 1)


def event_scores(events: Sequence[Event], strength: Sequence[float] | np.ndarray) -> list[Event]:
    """Return the events with a score to sort them by; the published method has none.

    ``score = mean(d1 over the voxels) * sqrt(voxels) * min(1, frames / 3)``.

    Args:
        events: Events to score.
        strength: Mean distance to the next frame by label, see :func:`label_means`.
    """
    scored = []
    for event in events:
        frames = event.months[1] - event.months[0] + 1
        score = float(strength[event.label]) * event.voxels**0.5 * min(1, frames / 3)
        scored.append(replace(event, score=score))
    return scored


def event_kind(footprint: np.ndarray) -> str:
    """Return what a footprint ``(H, W)`` bool looks like: ``line``, ``patch`` or ``scattered``.

    A line is at least three times as long as wide, or nowhere wider than a sixth of its extent
    (a bend); scattered is what fills less than a quarter of its own outline's box.
    """
    rows, columns = np.nonzero(footprint)
    if len(rows) < 3:
        return 'patch'
    spread = np.cov(np.stack([rows, columns]), bias=True) + np.eye(2) / 12
    short, long = np.sqrt(np.linalg.eigvalsh(spread))
    extent = max(np.ptp(rows), np.ptp(columns)) + 1
    width = 2 * ndimage.distance_transform_edt(np.pad(footprint, 1)).max()
    if long >= 3 * short or width < extent / 6:
        pieces = ndimage.label(footprint, np.ones((3, 3)))
        biggest = np.bincount(pieces[0].ravel())[1:].max()
        return 'line' if biggest > 0.5 * len(rows) else 'scattered'
    box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    return 'scattered' if len(rows) < box / 4 else 'patch'
