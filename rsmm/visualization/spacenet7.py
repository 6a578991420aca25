"""Pictures of building footprints through time."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import shapely
from PIL import Image, ImageDraw

from rsmm.errors import DataError
from rsmm.geo.cubes import building_history
from rsmm.utils.outputs import save_figure, save_picture

_GOLDEN = 0.618033988749895
_CAPTION = 14  # pixels
_GROUND_COLOURS = 190  # of the 256 of a GIF


def id_colour(name: int) -> tuple[int, int, int]:
    """Return a bright colour for an identity; neighbouring numbers differ strongly."""
    return _bright((int(name) * _GOLDEN) % 1)


def _bright(hue: float) -> tuple[int, int, int]:
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.75, 1.0))
    return red, green, blue


def draw_footprints(
    image: np.ndarray, rows: Sequence[tuple[int, shapely.Geometry]], scale: int = 2
) -> Image.Image:
    """Draw the outlines of a month on its image, each identity in its own colour.

    Args:
        image: (H, W, 3) uint8.
        rows: ``(id, polygon)`` in pixel coordinates.
        scale: Enlargement, so that outlines of small buildings can be seen.
    """
    picture = Image.fromarray(np.ascontiguousarray(image)).resize(
        (image.shape[1] * scale, image.shape[0] * scale), Image.Resampling.NEAREST
    )
    pen = ImageDraw.Draw(picture)
    for name, shape in rows:
        for ring in shapely.get_rings(shape):
            points = (shapely.get_coordinates(ring) * scale).round().astype(int)
            pen.line([tuple(point) for point in points.tolist()], fill=id_colour(name), width=1)
    return picture


def check_images(images: Mapping[str, np.ndarray], cube: Mapping[str, Sequence]) -> list[str]:
    """Return the months in order, after checking that each has an image.

    Raises:
        DataError: A month of the cube has no image, or there is none at all.
    """
    months = sorted(cube)
    missing = [month for month in months if month not in images]
    if missing or not months:
        raise DataError(f'no image for {", ".join(missing) or "any month"}')
    return months


def monthly_panels(
    images: Mapping[str, np.ndarray],
    cube: Mapping[str, Sequence],
    columns: int = 4,
    scale: int = 2,
) -> Image.Image:
    """Put all months side by side, footprints drawn on them.

    Args:
        images: (H, W, 3) uint8 per month.
        cube: ``{'YYYY_MM': [(id, polygon), ...]}`` in pixels.
        columns: Panels per row.
        scale: Enlargement.
    """
    months = check_images(images, cube)
    panels = [draw_footprints(images[month], cube[month], scale) for month in months]
    width = max(panel.width for panel in panels) + 4
    height = max(panel.height for panel in panels) + _CAPTION + 4
    rows = -(-len(panels) // columns)
    sheet = Image.new('RGB', (width * min(columns, len(panels)), height * rows), 'white')
    pen = ImageDraw.Draw(sheet)
    for k, (month, panel) in enumerate(zip(months, panels, strict=True)):
        left, top = (k % columns) * width, (k // columns) * height
        pen.text((left + 2, top), f'{month}: {len(cube[month])} buildings', fill='black')
        sheet.paste(panel, (left, top + _CAPTION))
    return sheet


def write_animation(
    path: str | Path,
    images: Mapping[str, np.ndarray],
    cube: Mapping[str, Sequence],
    scale: int = 2,
    milliseconds: int = 600,
) -> None:
    """Write an animated GIF of the identities through time."""
    months = check_images(images, cube)
    palette = _palette([images[month] for month in months])
    frames = []
    for month in months:
        frame = draw_footprints(images[month], cube[month], scale)
        pen = ImageDraw.Draw(frame)
        pen.rectangle((0, 0, 62, _CAPTION), fill='black')
        pen.text((3, 1), month, fill='white')
        frames.append(frame.quantize(palette=palette, dither=Image.Dither.NONE))
    save_picture(
        frames[0], path, save_all=True, append_images=frames[1:], duration=milliseconds, loop=0
    )


def _palette(images: Sequence[np.ndarray]) -> Image.Image:
    """256 colours for all frames: those of the images, and enough for identities to keep theirs.

    Left to itself a GIF drops the colours of thin outlines, so that identities look alike.
    """
    sheet = np.concatenate([image.reshape(-1, 3) for image in images])[None, ::7]
    ground = Image.fromarray(np.ascontiguousarray(sheet)).quantize(_GROUND_COLOURS)
    spare = 256 - _GROUND_COLOURS - 2
    own = [0, 0, 0, 255, 255, 255, *(part for k in range(spare) for part in _bright(k / spare))]
    colours = (ground.getpalette() + [0] * 768)[: 3 * _GROUND_COLOURS]
    palette = Image.new('P', (1, 1))
    palette.putpalette(colours + own)
    return palette


def new_buildings(cube: Mapping[str, Sequence]) -> dict[str, int]:
    """Return per month how many buildings have been seen first in it or, after the first, before.

    The first month counts 0: what stands there is not new.
    """
    months = sorted(cube)
    first = building_history(cube)['first_seen']
    return {month: sum(months[0] < seen <= month for seen in first) for month in months}


def growth_figure(
    path: str | Path,
    image: np.ndarray,
    cube: Mapping[str, Sequence],
    truth: Mapping[str, Sequence] | None = None,
) -> None:
    """Write the cumulative curve of new buildings and the map of first sightings.

    Args:
        path: PNG or SVG.
        image: (H, W, 3) uint8 of the last month, shown under the map.
        cube: Footprints with identities.
        truth: Drawn as a second curve.
    """
    from matplotlib.collections import PolyCollection

    from rsmm.visualization.style import PlainFigure

    figure = PlainFigure(figsize=(12, 5), layout='constrained')
    curve, plan = figure.subplots(1, 2)
    for name, data in (('found', cube), ('truth', truth)):
        if data:
            counts = new_buildings(data)
            curve.plot(list(counts), list(counts.values()), marker='o', label=name)
    curve.set_ylabel('new buildings since the first month')
    curve.tick_params(axis='x', rotation=90)
    curve.legend()
    curve.grid(alpha=0.3)

    history = building_history(cube)
    months = sorted(cube)
    position = [months.index(seen) for seen in history['first_seen']]
    parts, owner = shapely.get_parts(np.array(history['geometry'], object), return_index=True)
    outlines = [shapely.get_coordinates(part.exterior) for part in parts]
    plan.imshow(image)
    shapes = PolyCollection(outlines, array=np.array(position, float)[owner], cmap='plasma')
    shapes.set_clim(0, max(len(months) - 1, 1))
    plan.add_collection(shapes)
    plan.set_axis_off()
    bar = figure.colorbar(shapes, ax=plan, label='first seen')
    ticks = sorted({0, len(months) // 2, len(months) - 1})
    bar.set_ticks(ticks, labels=[months[k] for k in ticks])
    save_figure(figure, path, dpi=110)
