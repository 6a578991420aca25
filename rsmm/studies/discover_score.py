"""Found events against planted ones: precision, recall, and what static and seasonal cells give."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rsmm.errors import DataError, DataNotFoundError
from rsmm.geo.io import read_event_mask
from rsmm.utils.listing import list_files


def match_masks(
    found: Sequence[np.ndarray], planted: Sequence[np.ndarray], threshold: float = 0.5
) -> list[tuple[int, int, float]]:
    """Pair masks of two lists by their intersection over union, the best pairs first.

    Args:
        found, planted: Masks (H, W) bool of one frame.
        threshold: A pair overlaps by more than this.

    Returns:
        Position in ``found``, position in ``planted`` and IoU; each mask at most once.
    """
    pairs = []
    for row, one in enumerate(found):
        for column, other in enumerate(planted):
            union = np.count_nonzero(one | other)
            iou = np.count_nonzero(one & other) / union if union else 0.0
            if iou > threshold:
                pairs.append((row, column, iou))
    kept: list[tuple[int, int, float]] = []
    for row, column, iou in sorted(pairs, key=lambda pair: -pair[2]):
        if all(row != other[0] and column != other[1] for other in kept):
            kept.append((row, column, iou))
    return kept


def score_discovery(out: str | Path, cells: str | Path, threshold: float = 0.5) -> dict:
    """Compare the events of a run with the truth of toy cells.

    An event is found where the union of its masks and that of a planted one have an IoU above
    ``threshold``.

    Args:
        out: Output folder of :func:`rsmm.studies.discover.run_discovery`.
        cells: Folder that it was given, with ``truth.json``.
        threshold: Of the IoU.

    Returns:
        ``found`` (events in cells with planted ones), ``planted``, ``matched``; ``precision`` and
        ``recall`` (None without any); by kind ``planted`` and ``matched``; by kind of cell without
        events ``cells``, ``hit`` (with any event) and ``events``.

    Raises:
        DataNotFoundError: No ``truth.json`` or no ``events.csv``.
    """
    truth = _read(Path(cells) / 'truth.json', json.load)
    found: dict[str, list[dict]] = {name: [] for name in truth['cells']}
    for row in _read(Path(out) / 'events.csv', _rows):
        if row['cell'] not in found:
            raise DataError(f'cell {row["cell"]} is not among those of the truth', where=out)
        found[row['cell']].append(row)
    counts: dict[str, Any] = {'found': 0, 'planted': 0, 'matched': 0, 'by_kind': {}, 'quiet': {}}
    for name, events in truth['cells'].items():
        kind, rows = truth['kinds'][name], found[name]
        if kind != 'events':
            quiet = counts['quiet'].setdefault(kind, {'cells': 0, 'hit': 0, 'events': 0})
            _add(quiet, cells=1, hit=bool(rows), events=len(rows))
            continue
        hits = _hits(Path(out), rows, [Path(cells) / event['mask'] for event in events], threshold)
        counts['found'] += len(rows)
        for number, event in enumerate(events):
            entry = counts['by_kind'].setdefault(event['kind'], {'planted': 0, 'matched': 0})
            for part in (counts, entry):
                _add(part, planted=1, matched=number in hits)
    for name, total in (('precision', 'found'), ('recall', 'planted')):
        counts[name] = counts['matched'] / counts[total] if counts[total] else None
    return counts


def _add(counts: dict, **more: int) -> None:
    for name, count in more.items():
        counts[name] += int(count)


def _hits(out: Path, rows: list[dict], planted: list[Path], threshold: float) -> set[int]:
    """Return which of the planted masks of a cell are found."""
    if not planted:
        return set()
    truth = [read_event_mask(path) for path in planted]
    masks = [_footprint(out, row, truth[0].shape) for row in rows]
    return {column for _, column, _ in match_masks(masks, truth, threshold)}


def _read(path: Path, parse):
    if not path.is_file():
        raise DataNotFoundError('there is no such file', where=path)
    with open(path, encoding='utf-8', newline='') as file:
        return parse(file)


def _rows(file) -> list[dict]:
    return list(csv.DictReader(file))


def _footprint(out: Path, row: dict, shape: tuple[int, int]) -> np.ndarray:
    """Return the union of an event's masks on the frame, (H, W) bool."""
    home = out / 'events' / row['event']
    masks = [read_event_mask(path) for path in list_files(home) if path.stem.endswith('_mask')]
    if not masks:
        raise DataNotFoundError('holds no masks', where=home, fix="Run with layouts 'per_event'")
    frame = np.zeros(shape, bool)
    y0, x0, y1, x1 = (int(row[key]) for key in ('y0', 'x0', 'y1', 'x1'))
    frame[y0:y1, x0:x1] = np.any(masks, axis=0)
    return frame
