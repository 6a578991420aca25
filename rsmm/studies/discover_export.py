"""Events as files: image slices in two layouts, a table, a GeoPackage."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import shapely
from PIL import Image

from rsmm.datasets.cells import Cell
from rsmm.discovery import Event, event_kind
from rsmm.geo.io import write_vector
from rsmm.geo.polygons import mask_to_polygons
from rsmm.geo.raster import read_raster
from rsmm.geo.rasterize import as_affine, to_map
from rsmm.utils import atomic_write
from rsmm.utils.text import write_rows

LAYOUTS = ('per_event', 'flat')
#: Columns of ``events.csv``.
COLUMNS = (
    'event', 'cell', 'kind', 'first', 'last', 'y0', 'x0', 'y1', 'x1', 'pixels', 'voxels',
    'area_ha', 'score', 'lon', 'lat',
)  # fmt: skip
_COLOURS = (('R', 'G', 'B'), ('B04', 'B03', 'B02'))


def event_row(cell: Cell, event: Event, place: Mapping) -> dict:
    """Return what the table says of an event, and its outline in frame pixels (``outline``, WKT).

    Area counts each pixel once; it, ``lon`` and ``lat`` of the box centre are None without a place.
    """
    y0, x0, y1, x1 = event.box
    shapes = mask_to_polygons(event.footprint, 0.5)
    outline = shapely.affinity.translate(shapely.union_all(shapes), x0, y0)
    spot = _locate(place, outline, int(event.footprint.sum()))
    first, last = event.months
    return {
        'event': f'{cell.name}_{event.label:05d}',
        'cell': cell.name,
        'kind': event_kind(event.footprint),
        'first': cell.months[first],
        'last': cell.months[last],
        'y0': y0, 'x0': x0, 'y1': y1, 'x1': x1,
        'pixels': event.pixels,
        'voxels': event.voxels,
        **spot,
        'score': None if event.score is None else round(event.score, 4),
        'after_month': cell.months[last + 1],
        'frames': last - first + 1,
        'outline': outline.wkt,
    }  # fmt: skip


def _locate(place: Mapping, outline: shapely.Geometry, pixels: int) -> dict:
    """Return area in hectares, longitude and latitude; None each without a place."""
    from pyproj import Geod

    if not place.get('crs') or place.get('transform') is None:
        return {'area_ha': None, 'lon': None, 'lat': None}
    centre = outline.envelope.centroid
    pixel = shapely.box(centre.x - 0.5, centre.y - 0.5, centre.x + 0.5, centre.y + 0.5)
    pixel, point = to_lonlat([pixel, centre], place)
    area = abs(Geod(ellps='WGS84').geometry_area_perimeter(pixel)[0]) * pixels / 10_000
    return {'area_ha': round(area, 4), 'lon': round(point.x, 6), 'lat': round(point.y, 6)}


def to_lonlat(shapes: Sequence[shapely.Geometry], place: Mapping) -> list[shapely.Geometry]:
    """Bring shapes from frame pixels to longitude and latitude."""
    import geopandas

    points = geopandas.GeoSeries(list(to_map(shapes, place['transform'])), crs=place['crs'])
    return list(points.to_crs('EPSG:4326'))


def slice_paths(row: Mapping, layouts: Sequence[str]) -> dict:
    """Return the paths of an event's first and last image below the output folder."""
    name, steps = row['event'], row['frames']
    if 'per_event' in layouts:
        home = f'events/{name}'
        return {'before': f'{home}/00_img.png', 'after': f'{home}/{steps:02d}_img.png'}
    return {
        'before': f'flat/img1/{name}_00.png',
        'after': f'flat/img2/{name}_{steps - 1:02d}.png',
    }


def write_slices(folder: Path, cell: Cell, events: Sequence[Event], layouts: Sequence[str]) -> None:
    """Write the images and masks of events, each frame read once.

    ``events/{event}/{t:02d}_img.png`` (one more than masks) and ``_mask.png``, or
    ``flat/{img1,img2,mask}/{event}_{t:02d}.png``; masks are 0 and 255.

    Args:
        folder: Output folder.
        cell: Their cell.
        events: Events.
        layouts: ``'per_event'``, ``'flat'`` or both.
    """
    for index in range(len(cell)):
        shown = [e for e in events if e.months[0] <= index <= e.months[1] + 1]
        if not shown:
            continue
        picture = read_picture(cell, index)
        for event in shown:
            y0, x0, y1, x1 = event.box
            image = np.ascontiguousarray(picture[y0:y1, x0:x1])
            step = index - event.months[0]
            mask = event.masks[step] if step < len(event.masks) else None
            for layout in layouts:
                _WRITERS[layout](folder, f'{cell.name}_{event.label:05d}', step, image, mask)


def _write_per_event(folder: Path, name: str, step: int, image, mask) -> None:
    home = folder / 'events' / name
    _save(home / f'{step:02d}_img.png', image)
    if mask is not None:
        _save(home / f'{step:02d}_mask.png', np.where(mask, 255, 0).astype(np.uint8))


def _write_flat(folder: Path, name: str, step: int, image, mask) -> None:
    home = folder / 'flat'
    if mask is not None:
        _save(home / 'img1' / f'{name}_{step:02d}.png', image)
        _save(home / 'mask' / f'{name}_{step:02d}.png', np.where(mask, 255, 0).astype(np.uint8))
    if step > 0:
        _save(home / 'img2' / f'{name}_{step - 1:02d}.png', image)


_WRITERS = {'per_event': _write_per_event, 'flat': _write_flat}


def _save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        Image.fromarray(array).save(file, 'PNG')


def read_picture(cell: Cell, index: int) -> np.ndarray:
    """Return a frame as ``(H, W, 3)`` uint8: its red, green and blue, or its first bands.

    8-bit images are shown as they are; others stretched between their 2nd and 98th percentiles.
    """
    image, found = read_raster(cell.frames[index].image)
    names = found['bands']
    chosen = next((list(rgb) for rgb in _COLOURS if set(rgb) <= set(names)), None)
    colours = [names.index(name) for name in chosen] if chosen else [0, 1, 2]
    if image.shape[2] < 3:
        colours = [0, 0, 0]
    image = image[..., colours]
    if image.dtype == np.uint8:
        return image
    values = np.nan_to_num(image.astype(np.float32))
    low, high = np.percentile(values, (2, 98))
    return (np.clip((values - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8)


def write_table(path: Path, rows: Sequence[Mapping]) -> None:
    """Write ``events.csv``; only the header where there is no event."""
    text = io.StringIO()
    write_rows(text, COLUMNS, rows)
    with atomic_write(path, 'w', encoding='utf-8', newline='') as file:
        file.write(text.getvalue())


def write_geopackage(path: Path, rows: Sequence[Mapping], places: Mapping[str, Mapping]) -> int:
    """Write the events that have a place as polygons in longitude and latitude.

    Args:
        path: ``.gpkg``; an earlier one goes.
        rows: See :func:`event_row`.
        places: ``crs`` and ``transform`` of each cell.

    Returns:
        How many were written; without any there is no file.
    """
    placed = [row for row in rows if row['lon'] is not None]
    path.unlink(missing_ok=True)
    if placed:
        shapes = [
            to_lonlat([shapely.from_wkt(row['outline'])], places[row['cell']])[0] for row in placed
        ]
        names = [name for name in COLUMNS if name not in ('y0', 'x0', 'y1', 'x1')]
        columns = {name: [row[name] for row in placed] for name in names}
        write_vector(path, shapes, columns, crs='EPSG:4326')
    return len(placed)


def place_json(place: Mapping) -> dict:
    """Return a place as JSON has it."""
    transform = place.get('transform')
    numbers = None if transform is None else [float(n) for n in as_affine(transform)[:6]]
    return {'crs': place.get('crs'), 'transform': numbers}
