"""The benchmark table as text and as a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rsmm.utils import atomic_write
from rsmm.utils.text import markdown_cell, write_rows

FIELDS = ('checkpoint', 'task', 'metric', 'mean', 'ci95', 'runs')


def write_csv(path: str | Path, rows: Sequence[Mapping]) -> None:
    """Write one row per encoder, task and metric."""
    with atomic_write(path, 'w', encoding='utf-8', newline='') as file:
        write_rows(file, FIELDS, rows)


def table_markdown(rows: Sequence[Mapping], missing: Mapping[str, str]) -> str:
    """Return a table with one line per encoder, and what is missing and why.

    Args:
        rows: As :func:`rsmm.studies.benchmark.summarise` makes them.
        missing: Cell to reason.
    """
    columns = list(dict.fromkeys((row['task'], row['metric']) for row in rows))
    names = list(dict.fromkeys(row['checkpoint'] for row in rows))
    cells = {(row['checkpoint'], row['task'], row['metric']): _shown(row) for row in rows}
    lines = [
        '| encoder | ' + ' | '.join(f'{task} {metric}' for task, metric in columns) + ' |',
        '|---|' + '---|' * len(columns),
        *(
            f'| {markdown_cell(name)} | '
            + ' | '.join(cells.get((name, *column), '-') for column in columns)
            + ' |'
            for name in names
        ),
        '',
        'Per cent; the mean over seeds and half the width of its 95 % confidence interval.',
    ]
    if missing:
        lines += ['', 'Missing:', '', *(_item(*entry) for entry in missing.items())]
    return '\n'.join(lines) + '\n'


def _item(cell: str, why: str) -> str:
    return f'- {markdown_cell(cell)}: {markdown_cell(why)}'


def _shown(row: Mapping) -> str:
    return f'{row["mean"]:.2f}' + ('' if row['ci95'] is None else f' ± {row["ci95"]:.2f}')


def draw_table(rows: Sequence[Mapping], path: str | Path) -> None:
    """Draw one panel per task and metric: a dot per encoder with its confidence interval."""
    from rsmm.visualization.style import PlainFigure

    columns = list(dict.fromkeys((row['task'], row['metric']) for row in rows))
    names = list(dict.fromkeys(row['checkpoint'] for row in rows))
    figure = PlainFigure(figsize=(1.2 + 2.1 * len(columns), 1.2 + 0.4 * len(names)))
    axes = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    for axis, column in zip(axes, columns, strict=True):
        for row in rows:
            if (row['task'], row['metric']) == column:
                place = names.index(row['checkpoint'])
                axis.errorbar(row['mean'], place, xerr=row['ci95'], fmt='o', capsize=3, color='C0')
        axis.set_title(f'{column[0]}\n{column[1]} (%)', fontsize=9)
        axis.grid(axis='x', alpha=0.3)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    figure.tight_layout()
    with atomic_write(path) as file:
        figure.savefig(file, format='png', dpi=150)
