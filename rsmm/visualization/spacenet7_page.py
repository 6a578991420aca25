"""One HTML file with a month slider over image, footprints and identities; works offline."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import shapely
from PIL import Image

from rsmm.utils import atomic_write
from rsmm.visualization.spacenet7 import check_images, id_colour, new_buildings

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>__TITLE__</title>
<style>
body { margin: 0; background: #14171c; color: #e8eaee; font: 15px/1.4 system-ui, sans-serif; }
main { max-width: 1400px; margin: 0 auto; padding: 12px; }
h1 { font-size: 18px; margin: 0; }
#stage { position: relative; background: #000; margin: 0 auto;
  width: min(100%, calc((100vh - 150px) * var(--ratio))); min-width: 280px; }
#stage img, #stage svg { display: block; width: 100%; image-rendering: pixelated; }
#stage svg { position: absolute; inset: 0; height: 100%; }
path { fill-opacity: 0.15; stroke-width: 1.2; vector-effect: non-scaling-stroke; }
path:hover, path.picked { fill-opacity: 0.7; stroke: #fff; }
.bar { display: flex; gap: 14px; align-items: center; flex-wrap: wrap; margin: 8px 0; }
input[type=range] { flex: 1; min-width: 200px; }
output { font-variant-numeric: tabular-nums; min-width: 4.5em; }
#info { min-height: 1.4em; margin: 0 0 8px; color: #b9c0cc; }
</style>
</head>
<body>
<main>
<h1>__TITLE__</h1>
<div class="bar">
<button id="play" type="button">Play</button>
<label for="month">Month</label>
<input id="month" type="range" min="0" value="0" step="1">
<output id="name" for="month"></output>
<label><input id="outlines" type="checkbox" checked> footprints</label>
<label><input id="fresh" type="checkbox"> only new buildings</label>
</div>
<p id="info" aria-live="polite"></p>
<div id="stage"><img id="image" alt="image of the month"><svg id="shapes"></svg></div>
</main>
<script>
const data = __DATA__;
const by = id => document.getElementById(id);
const svg = by('shapes'), slider = by('month');
let picked = null, timer = null;
slider.max = data.months.length - 1;
by('stage').style.setProperty('--ratio', data.width / data.height);
svg.setAttribute('viewBox', `0 0 ${data.width} ${data.height}`);
function describe(id) {
  const [first, last, seen] = data.buildings[id];
  return `Building ${id}: first seen ${data.months[first]}, last seen ${data.months[last]}, ` +
    `in ${seen} of ${data.months.length} months`;
}
function show() {
  const k = Number(slider.value), frame = data.frames[k];
  by('image').src = frame.image;
  by('name').textContent = data.months[k];
  svg.replaceChildren();
  let shown = 0;
  for (const [id, d] of by('outlines').checked ? frame.shapes : []) {
    if (by('fresh').checked && data.buildings[id][0] === 0) continue;
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    path.setAttribute('d', d);
    path.setAttribute('fill', data.colours[id]);
    path.setAttribute('stroke', data.colours[id]);
    path.setAttribute('fill-rule', 'evenodd');
    path.dataset.id = id;
    if (picked === id) path.classList.add('picked');
    path.addEventListener('click', () => { picked = picked === id ? null : id; show(); });
    svg.append(path);
    shown += 1;
  }
  by('info').textContent = picked === null
    ? `${frame.shapes.length} buildings, ${shown} shown, ${frame.fresh} new since ` +
      `${data.months[0]}. Click a building to follow it.`
    : describe(picked);
}
function step() {
  slider.value = (Number(slider.value) + 1) % data.months.length;
  show();
}
by('play').addEventListener('click', () => {
  if (timer) { clearInterval(timer); timer = null; } else { timer = setInterval(step, 700); }
  by('play').textContent = timer ? 'Pause' : 'Play';
});
for (const id of ['month', 'outlines', 'fresh']) by(id).addEventListener('input', show);
if (location.hash) slider.value = Number(location.hash.slice(1));
show();
</script>
</body>
</html>
"""


def write_cube_page(
    path: str | Path,
    images: Mapping[str, np.ndarray],
    cube: Mapping[str, Sequence],
    title: str = 'Building footprints by month',
) -> None:
    """Write the page; images and footprints are inside it, nothing is loaded from elsewhere.

    ``page.html#5`` opens at the sixth month.

    Args:
        path: Target; folders are made.
        images: (H, W, 3) uint8 per month.
        cube: ``{'YYYY_MM': [(id, polygon), ...]}`` in pixels.
        title: Headline.

    Raises:
        DataError: A month without an image.
    """
    months = check_images(images, cube)
    fresh = new_buildings(cube)
    seen: dict[str, list[int]] = {}
    for position, month in enumerate(months):
        for name, _ in cube[month]:
            entry = seen.setdefault(str(name), [position, position, 0])
            entry[1] = position
            entry[2] += 1
    height, width = images[months[0]].shape[:2]
    data = {
        'width': width,
        'height': height,
        'months': months,
        'buildings': seen,
        'colours': {name: '#{:02x}{:02x}{:02x}'.format(*id_colour(int(name))) for name in seen},
        'frames': [
            {
                'image': _as_uri(images[month]),
                'fresh': fresh[month],
                'shapes': [[str(name), _svg_path(shape)] for name, shape in cube[month]],
            }
            for month in months
        ],
    }
    # '<' inside the script could end it early.
    text = json.dumps(data, separators=(',', ':')).replace('<', '\\u003c')
    page = _PAGE.replace('__TITLE__', html.escape(title)).replace('__DATA__', text)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path, 'w', encoding='utf-8') as file:
        file.write(page)


def _as_uri(image: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, 'WEBP', quality=85)
    return 'data:image/webp;base64,' + base64.b64encode(buffer.getvalue()).decode('ascii')


def _svg_path(shape: shapely.Geometry) -> str:
    """Rings as SVG path commands, coordinates to a tenth of a pixel."""
    commands = []
    for ring in shapely.get_rings(shape):
        points = shapely.get_coordinates(ring)[:-1]
        commands.append('M' + 'L'.join(f'{_short(x)},{_short(y)}' for x, y in points) + 'Z')
    return ''.join(commands)


def _short(value: float) -> str:
    return f'{value:.1f}'.removesuffix('.0')
