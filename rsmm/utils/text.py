"""Names from outside in what others open: tables, pages and figures show them and obey none."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import IO

# Spreadsheets take a cell that begins so for a formula, whatever its quotes.
_FORMULA = ('=', '+', '-', '@', '\t', '\r', '\n', '\0')
_MARKUP = re.compile(r'([\\`*|~]|\](?=[(\[:])|(?<!\w)_|_(?!\w))')


def csv_cell(value: object) -> object:
    """Return a value for a cell of a CSV; a text that begins like a formula gets an apostrophe.

    >>> csv_cell('=HYPERLINK("http://x")'), csv_cell('-3.5'), csv_cell(-3.5), csv_cell('River')
    ('\\'=HYPERLINK("http://x")', '-3.5', -3.5, 'River')
    """
    if not isinstance(value, str) or not value.startswith(_FORMULA) or _is_number(value):
        return value
    return f"'{value}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip()


def write_rows(file: IO[str], columns: Sequence[str], rows: Iterable[Mapping]) -> None:
    """Write a CSV with a header; cells are those of :func:`csv_cell`, other keys are left out."""
    import csv

    writer = csv.DictWriter(file, columns, extrasaction='ignore', lineterminator='\n')
    writer.writeheader()
    writer.writerows({key: csv_cell(value) for key, value in row.items()} for row in rows)


def markdown_cell(value: object) -> str:
    r"""Return a value as text for a cell or item of Markdown, shown as it is.

    >>> markdown_cell('a|b <script> [x](y)\n# c'), markdown_cell('resnet18_rgb')
    ('a\\|b &lt;script&gt; [x\\](y) # c', 'resnet18_rgb')
    """
    text = ' '.join(str(value).split())
    return _MARKUP.sub(r'\\\1', html.escape(text, quote=False))
