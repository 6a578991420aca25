"""The catalogue of events: one offline page, sorted and filtered by month, size and kind."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import shapely

from rsmm.utils import atomic_write

_TEMPLATE = Path(__file__).with_name('events.html')


def write_event_page(
    path: str | Path, events: Sequence[Mapping], title: str = 'Change events'
) -> None:
    """Write the catalogue page; it loads nothing but the slices beside it.

    ``page.html#sort=size&kind=line&from=2018-03`` opens with these settings.

    Args:
        path: Target; folders are made.
        events: For each ``event``, ``cell``, ``kind``, ``first``, ``last`` and ``after_month``
            (``YYYY-MM``), ``y0, x0, y1, x1`` (frame pixels), ``pixels``, ``area_ha``, ``score``,
            ``lon``, ``lat`` (None where unknown), ``outline`` (WKT in frame pixels) and the images
            ``before`` and ``after``, relative to the page.
        title: Headline.
    """
    placed = bool(events) and all(event['area_ha'] is not None for event in events)
    data = {'unit': 'ha' if placed else 'px', 'events': [_entry(e, placed) for e in events]}
    # '<' inside the script could end it early.
    text = json.dumps(data, separators=(',', ':')).replace('<', '\\u003c')
    page = _TEMPLATE.read_text(encoding='utf-8')
    page = page.replace('__TITLE__', html.escape(title)).replace('__DATA__', text)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path, 'w', encoding='utf-8') as file:
        file.write(page)


_KEPT = (
    'event', 'cell', 'kind', 'first', 'last', 'after_month', 'score', 'lon', 'lat', 'before',
    'after',
)  # fmt: skip


def _entry(event: Mapping, placed: bool) -> dict:
    box = [event[key] for key in ('y0', 'x0', 'y1', 'x1')]
    return {
        **{name: event[name] for name in _KEPT},
        'size': round(event['area_ha'], 2) if placed else event['pixels'],
        'height': box[2] - box[0],
        'width': box[3] - box[1],
        'outline': _svg_path(event['outline'], box[1], box[0]),
    }


def _svg_path(outline: str, x0: float, y0: float) -> str:
    """Return the rings of a polygon (WKT) as an SVG path, moved by a box's corner."""
    commands = []
    for polygon in shapely.get_parts(shapely.from_wkt(outline)):
        for ring in (polygon.exterior, *polygon.interiors):
            points = [f'{x - x0:g} {y - y0:g}' for x, y in ring.coords[:-1]]
            commands.append('M' + 'L'.join(points) + 'Z')
    return ''.join(commands)
