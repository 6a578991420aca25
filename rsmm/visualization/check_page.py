"""The findings of a data check as text and as a page."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from rsmm.utils import atomic_write

_STYLE = """
body{font:14px/1.5 system-ui,sans-serif;margin:2rem;color:#222;background:#fff}
table{border-collapse:collapse;margin:.5rem 0 1.5rem}
th,td{padding:.2rem .6rem;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}
th{position:sticky;top:0;background:#f4f4f4}
td.n{text-align:right;font-variant-numeric:tabular-nums}
.error{color:#a4001d;font-weight:600}.warning{color:#8a5a00}.good{color:#1d6b2f}
td.path{font-family:ui-monospace,monospace;font-size:12px;word-break:break-all}
"""
_COLUMNS = ('file', 'split', 'role', 'size', 'bands', 'type', 'nodata', 'tags', 'missing', 'range',
            'place', 'what would go wrong')  # fmt: skip


def summary_rows(check) -> list[tuple[str, ...]]:
    """Split, samples, files, mean missing share and classes, a row per split.

    Args:
        check: A :class:`rsmm.apis.check_data.DataCheck`.
    """
    splits = sorted({*check.samples, *check.classes, *(one.split for one in check.files)})
    rows: list[tuple[str, ...]] = []
    for split in splits:
        files = [one for one in check.files if one.split == split]
        shares = [one.missing for one in files if one.missing is not None and one.role == 'image']
        missing = f'{sum(shares) / len(shares):.2%}' if shares else ''
        counts = check.classes.get(split, {})
        total = sum(counts.values())
        classes = ', '.join(f'{name} {n} ({n / max(total, 1):.1%})' for name, n in counts.items())
        samples = str(check.samples.get(split, 0))
        rows.append((split or '(all)', samples, str(len(files)), missing, classes))
    return rows


def as_text(check, limit: int = 50) -> str:
    """Summary and findings for a terminal; control characters in names are escaped.

    Args:
        check: A :class:`rsmm.apis.check_data.DataCheck`.
        limit: Most findings shown.
    """
    header = ('split', 'samples', 'files', 'missing', 'classes')
    lines = _aligned([header, *summary_rows(check)])
    found = check.all_findings()
    lines += [
        '',
        *(f'{one.level.upper():8}{_shown(one.path)}: {one.what}' for one in found[:limit]),
    ]
    if len(found) > limit:
        lines.append(f'... and {len(found) - limit} more, see the page of --out')
    lines += ['', f'{check.count("error")} errors, {check.count("warning")} warnings']
    return '\n'.join(lines)


def _shown(text: str) -> str:
    return ''.join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return [
        '  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def write_check_page(path: str | Path, check) -> None:
    """Write the page: summary, findings, and a row per file; it loads nothing from elsewhere.

    Args:
        path: HTML to write; folders are made.
        check: A :class:`rsmm.apis.check_data.DataCheck`.
    """
    errors, warnings = check.count('error'), check.count('warning')
    level = 'error' if errors else 'warning' if warnings else 'good'
    title = f'Data check of {html.escape(check.target)}'
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>',
        f'<style>{_STYLE}</style><h1>{title}</h1>',
        f'<p class="{level}">{errors} errors, {warnings} warnings</p>',
        _table(('split', 'samples', 'files', 'missing', 'classes'), summary_rows(check)),
    ]
    whole = {report.path: list(report.findings) for report in check.files}
    for one in check.findings:
        whole.setdefault(one.path, []).append(one)
    rows = [_row(report, whole.pop(report.path, ())) for report in check.files]
    others = [('', '', '', '', '', '', '', '', '', '', found) for found in whole.values() if found]
    rows += [(found[-1][0].path, *found) for found in others]
    rows.sort(key=lambda row: not row[-1])
    parts += [f'<h2>{len(rows)} files</h2>', _table(_COLUMNS, rows), '</html>']
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path, 'w', encoding='utf-8', errors='surrogateescape') as file:
        file.write('\n'.join(parts))


def _row(report, findings: Sequence) -> tuple:
    place = (
        '' if report.transform is None else f'{report.transform[2]:.8g}, {report.transform[5]:.8g}'
    )
    spread = '' if report.low is None else f'{report.low:g} to {report.high:g}'
    values = ', '.join(f'{value}: {count}' for value, count in report.values.items())
    return (
        report.path,
        report.split,
        report.role,
        ' x '.join(map(str, report.size)),
        ', '.join(report.bands),
        report.dtype,
        '' if report.nodata is None else f'{report.nodata:g}',
        report.tags,
        '' if report.missing is None else f'{report.missing:.2%}',
        values or spread,
        place,
        list(dict.fromkeys(findings)),
    )


def _table(header: Sequence[str], rows: Sequence[Sequence]) -> str:
    head = ''.join(f'<th>{html.escape(name)}</th>' for name in header)
    body = '\n'.join(f'<tr>{"".join(map(_cell, row))}</tr>' for row in rows)
    return f'<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>'


def _cell(value: object) -> str:
    if isinstance(value, list):
        found = [f'<div class="{one.level}">{html.escape(one.what)}</div>' for one in value]
        return f'<td>{"".join(found)}</td>'
    kind = ' class="path"' if '/' in str(value) else ''
    return f'<td{kind}>{html.escape(_shown(str(value)))}</td>'
