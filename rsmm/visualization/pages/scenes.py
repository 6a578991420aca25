"""The page of mapped scenes: one offline file with layers, opacity, swipe, legend and areas."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from rsmm.utils import atomic_write

_TEMPLATE = Path(__file__).with_name('scenes.html')


def write_scene_page(path: str | Path, scenes: Sequence[Mapping], title: str = 'Maps') -> None:
    """Write the page; it loads nothing, everything is in the file.

    ``page.html#scene=1&layer=probability&opacity=80&swipe=50&hide=2&at=0.5,0.5`` opens with these
    settings; ``at`` is the place told of, as shares of width and height.

    Args:
        path: HTML file to write.
        scenes: For each ``name``; ``rows``, ``columns`` of the scene; ``labels`` (h, w) uint8, at
            reduced size, 255 for no data; ``confidence`` (h, w) uint8 up to 250, or None;
            ``images``, pairs of name and picture (h, w, 3) uint8; ``classes``, ``palette``,
            ``areas`` (rows of :func:`rsmm.inference.area_table.area_table`); ``facts``, a line of
            text; ``warnings``.
        title: Headline.
    """
    # '<' inside the script could end it early.
    text = json.dumps([_entry(one) for one in scenes], separators=(',', ':'), allow_nan=False)
    parts = {'TITLE': html.escape(title), 'DATA': text.replace('<', '\\u003c')}
    page = _TEMPLATE.read_text(encoding='utf-8')
    page = re.sub('__(TITLE|DATA)__', lambda found: parts[found[1]], page)
    with atomic_write(path, 'w', encoding='utf-8') as file:
        file.write(page)


def _entry(scene: Mapping) -> dict:
    labels = scene['labels']
    sure = scene.get('confidence')
    keys = ('value', 'class', 'share', 'pixels', 'area_ha', 'adjusted_ha', 'margin_ha')
    return {
        'name': scene['name'],
        'rows': scene['rows'],
        'columns': scene['columns'],
        'height': labels.shape[0],
        'width': labels.shape[1],
        'labels': _base64(labels.tobytes()),
        'confidence': None if sure is None else _base64(sure.tobytes()),
        'images': [{'name': name, 'data': _webp(image)} for name, image in scene['images']],
        'classes': list(scene['classes']),
        'colours': [list(colour) for colour in scene['palette']],
        'areas': [{key: row[key] for key in keys} for row in scene['areas']],
        'facts': scene['facts'],
        'warnings': list(scene['warnings']),
    }


def _webp(image: np.ndarray) -> str:
    text = io.BytesIO()
    Image.fromarray(image).save(text, 'WEBP', quality=85)
    return _base64(text.getvalue())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode('ascii')
