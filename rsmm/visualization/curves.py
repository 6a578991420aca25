"""How a training went: its scalars over epochs or iterations."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from rsmm.errors import DataError, DataNotFoundError, did_you_mean
from rsmm.visualization.style import INK, MUTED, category, new_figure, tidy

_BOOKKEEPING = ('epoch', 'iter', 'step', 'time', 'data_time', 'memory')


@dataclass
class Log:
    """Scalars of one run.

    Attributes:
        axis: ``'epoch'`` or ``'iteration'``.
        curves: Name to positions and values, both ``(N,)``.
        validated: Names measured in validation.
    """

    axis: str
    curves: dict[str, tuple[np.ndarray, np.ndarray]]
    validated: set[str] = field(default_factory=set)


def read_log(path: str | PathLike) -> Log:
    """Read the scalars of a run.

    Args:
        path: Work folder (all its starts are joined, a resumed run goes on where it stopped), or
            one ``scalars.json`` of mmengine.

    Raises:
        DataNotFoundError: There is no log.
        DataError: The log holds no scalars.
    """
    files = _log_files(Path(path))
    rows = [row for file in files for row in _read_rows(file)]
    trained = [row for row in rows if 'iter' in row]
    by_epoch = bool(trained) and all('epoch' in row for row in trained)
    per_epoch = _iterations_per_epoch(trained) if by_epoch else 1.0
    found: dict[str, dict[float, float]] = {}
    validated = set()
    for row in rows:
        position = row['iter'] / per_epoch if 'iter' in row else row.get('step', 0)
        for name, value in row.items():
            if name in _BOOKKEEPING or not isinstance(value, (int, float)):
                continue
            found.setdefault(name, {})[position] = float(value)
            if 'iter' not in row:
                validated.add(name)
    if not found:
        raise DataError('holds no scalars yet', where=path)
    curves = {
        name: (np.array(sorted(points)), np.array([points[key] for key in sorted(points)]))
        for name, points in found.items()
    }
    return Log('epoch' if by_epoch else 'iteration', curves, validated)


def _log_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    files = sorted(path.glob('*/vis_data/scalars.json')) or sorted(path.glob('vis_data/*.json'))
    if not files:
        raise DataNotFoundError(
            'no */vis_data/scalars.json in it',
            where=path,
            fix='Pass the --work-dir of a training, or a scalars.json',
        )
    return files


def _read_rows(path: Path) -> list[dict]:
    rows = []
    lines = path.read_text(encoding='utf-8').splitlines()
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            if number == len(lines):
                break  # a run that was killed may leave half a line
            raise DataError(f'line {number} is no JSON ({error})', where=path) from None
        if not isinstance(row, dict):
            raise DataError(f'line {number} is no record of scalars', where=path)
        rows.append(row)
    return rows


def _iterations_per_epoch(rows: Sequence[Mapping]) -> float:
    """Estimate the length of an epoch; the last row logged in an epoch is near its end."""
    last: dict[int, int] = {}
    for row in rows:
        last[row['epoch']] = max(row['iter'], last.get(row['epoch'], 0))
    return max(iteration / epoch for epoch, iteration in last.items())


def default_names(logs: Sequence[Log]) -> list[str]:
    """Return what is worth a panel: the loss and all validation metrics, else everything."""
    names = list(dict.fromkeys(name for log in logs for name in log.curves))
    validated = set().union(*(log.validated for log in logs))
    chosen = [name for name in names if name == 'loss' or name in validated]
    return chosen or names


def draw_curves(logs: Mapping[str, Log], names: Sequence[str] | None = None) -> Figure:
    """Draw one panel per scalar with one line per run.

    Args:
        logs: Name of the run to its log.
        names: Scalars to draw; default the loss and all validation metrics.

    Raises:
        DataError: No run has logged one of the names.
    """
    names = list(names) if names else default_names(list(logs.values()))
    known = sorted({name for log in logs.values() for name in log.curves})
    for name in names:
        if name not in known:
            raise DataError(
                f'nothing called {name!r} was logged.{did_you_mean(name, known)}',
                fix=f'Logged: {", ".join(known)}',
            )
    columns = min(len(names), 3)
    rows = math.ceil(len(names) / columns)
    figure = new_figure(4.2 * columns, 3.0 * rows + 0.3)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, name in zip(panels, names, strict=False):
        _draw_panel(axes, logs, name)
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    if len(logs) > 1:
        handles = [_handle(position) for position in range(len(logs))]
        figure.legend(
            handles, list(logs), loc='outside upper left', ncols=4, frameon=False, fontsize=8
        )
    return figure


def _draw_panel(axes, logs: Mapping[str, Log], name: str) -> None:
    for position, log in enumerate(logs.values()):
        if name not in log.curves:
            continue
        x, y = log.curves[name]
        marker = 'o' if len(x) <= 30 else None
        axes.plot(x, y, color=category(position)[0], linewidth=1.4, marker=marker, markersize=3)
        axes.set_xlabel(log.axis, size=8, color=MUTED)
    axes.set_title(name, size=10, color=INK, loc='left')
    tidy(axes)


def _handle(position: int):
    from matplotlib.lines import Line2D

    return Line2D([], [], color=category(position)[0], linewidth=1.6)
