"""Names from outside in tables, pages and figures: shown as they are, obeyed by nothing."""

from __future__ import annotations

import csv
import doctest
import io

import pytest

from rsmm.evaluation.functional.classification import format_report
from rsmm.studies.discover_export import COLUMNS, write_table
from rsmm.studies.urban_report import markdown_table
from rsmm.utils import text
from rsmm.utils.outputs import save_figure
from rsmm.utils.text import csv_cell, markdown_cell, write_rows
from rsmm.visualization.benchmark import draw_table, table_markdown, write_csv
from rsmm.visualization.pages.events import write_event_page
from rsmm.visualization.style import PlainFigure, new_figure

NAMES = [
    '=HYPERLINK("http://x","y")', '+1+1', '-2+3', '@SUM(A1)', '\t=1', '$\\frac$', '$a', '\\$x$',
    'a|b', '[x](javascript:alert(1))', '<script>alert(1)</script>', '`x`', '*x*', 'two\nlines',
    '# title', '\\mathdefault', '</script><b>', '\u202egnp.exe', '${x}$', '_x_',
]  # fmt: skip


def test_examples():
    assert doctest.testmod(text).failed == 0


@pytest.mark.parametrize('name', NAMES)
def test_cells_of_csv(name, tmp_path):
    row = dict(checkpoint=name, task='t', metric='m', mean=-1.5, ci95=None, runs=1)
    write_csv(tmp_path / 'table.csv', [row])
    write_table(tmp_path / 'events.csv', [dict.fromkeys(COLUMNS, 1) | {'event': name}])
    for file, key in (('table.csv', 'checkpoint'), ('events.csv', 'event')):
        with open(tmp_path / file, newline='') as source:
            (found,) = csv.DictReader(source)
        assert found[key][0] not in '=+-@\t\r\n'
        assert found[key].removeprefix("'") == name
    assert csv_cell(-1.5) == -1.5
    assert csv_cell('-1.5e3') == '-1.5e3'


def test_rows_keep_the_columns():
    out = io.StringIO()
    write_rows(out, ('a', 'b'), [{'a': '=1', 'b': None, 'c': 'left out'}])
    assert out.getvalue() == "a,b\n'=1,\n"


@pytest.mark.parametrize('name', NAMES)
def test_tables_of_markdown(name):
    cell = markdown_cell(name)
    assert '\n' not in cell
    assert '<' not in cell
    assert '](' not in cell.replace('\\]', '')
    rows = [dict(checkpoint=name, task='t', metric='m', mean=1.0, ci95=None, runs=1)]
    tables = [
        table_markdown(rows, {f'{name} / seed 0': name}),
        markdown_table(['a', 'b'], [[name, '1']]),
        format_report([(name, 1.0, 1.0, 1.0, 3)], markdown=True),
    ]
    for table in tables:
        lines = [line for line in table.splitlines() if line.startswith('|')]
        bars = {line.replace('\\|', '').count('|') for line in lines}
        assert len(lines) == 3
        assert len(bars) == 1
        assert '<script' not in table


@pytest.mark.parametrize('suffix', ['png', 'svg', 'pdf'])
@pytest.mark.filterwarnings('ignore:Glyph')
def test_labels_of_figures(tmp_path, suffix):
    figure = new_figure(4, 4)
    axes = figure.subplots()
    axes.plot([0, 1], label=NAMES[5])
    axes.set_title('$\\frac$ $')
    axes.set_yticks(range(len(NAMES)), NAMES)
    axes.set_xlabel('$\\unknown$')
    figure.legend()
    figure.suptitle('$^$')
    save_figure(figure, tmp_path / f'a.{suffix}')
    assert (tmp_path / f'a.{suffix}').stat().st_size > 1000


@pytest.mark.filterwarnings('ignore:Glyph')
def test_the_benchmark_figure(tmp_path):
    rows = [
        dict(checkpoint=name, task='t$\\frac$', metric='m', mean=1.0, ci95=None, runs=1)
        for name in NAMES
    ]
    draw_table(rows, tmp_path / 'a.png')
    assert (tmp_path / 'a.png').stat().st_size > 1000


def test_logarithmic_axes_keep_their_powers():
    figure = PlainFigure()
    axes = figure.subplots()
    axes.set_yscale('log')
    axes.plot([1, 1e6])
    figure.canvas.draw()
    labels = [label for label in axes.get_yticklabels() if label.get_text()]
    assert labels
    assert all(label.get_parse_math() for label in labels)


@pytest.mark.parametrize('name', NAMES)
def test_pages(name, tmp_path):
    row = {'event': name, 'cell': name, 'first': '2020-01', 'last': '2020-02', 'kind': 'patch'}
    row |= dict.fromkeys(COLUMNS[5:], 1) | {
        'frames': 1,
        'after_month': '2020-03',
        'outline': 'POLYGON ((0 0, 1 0, 1 1, 0 0))',
    }
    write_event_page(tmp_path / 'a.html', [{**row, 'before': name, 'after': name}])
    page = (tmp_path / 'a.html').read_text(encoding='utf-8')
    assert page.count('</script>') == page.count('<script')
    assert name not in page or not set(name) & set('<>')
