"""The page of a folder of maps, from its finished files and the scenes themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from rsmm.geo.missing import fill_missing
from rsmm.geo.streaming import Stack
from rsmm.inference.map_files import FULL, Job, file_names, open_scene
from rsmm.inference.places import Scene
from rsmm.inference.tasks import YES_OR_NO
from rsmm.sensors import canonical_band
from rsmm.visualization.composite import composite
from rsmm.visualization.pages.scenes import write_scene_page

#: Longest side in pixels of pictures and of maps in the page.
PICTURE, MAP = 1024, 768
#: Vegetation in red, where there are these bands.
FALSE_COLOUR = ('B08', 'B04', 'B03')
#: Dates of a series that are shown, at most.
SHOWN = 12


def write_page(
    path: Path, job: Job, scenes: Sequence[Scene], records: Sequence[Mapping], title: str
) -> None:
    """Write the page of mapped scenes.

    Args:
        path: HTML file in the folder of the maps.
        job: With which they were made.
        scenes: The images.
        records: Of each scene, see :func:`rsmm.inference.map_files.write_scene`.
        title: Headline.
    """
    entries = [
        _entry(path.parent, job, one, record) for one, record in zip(scenes, records, strict=True)
    ]
    write_scene_page(path, entries, title)


def _entry(folder: Path, job: Job, scene: Scene, record: Mapping) -> dict:
    names = file_names(job, scene)
    labels = _reduced(folder / names['map'])[0]
    sure = None
    if 'probabilities' in names and job.probabilities == 'uint8':
        sure = _confidence(_reduced(folder / names['probabilities']), labels, job.task.kind)
    with open_scene(job, scene) as (stack, _):
        images = list(_pictures(stack, scene))
    size = f'{record["width"]} x {record["height"]} pixels'
    ground = f' of {record["gsd"]:.3g} m' if record['gsd'] else ''
    counted = f', {record["polygons"]} polygons' if 'polygons' in record else ''
    return {
        'name': scene.name,
        'rows': record['height'],
        'columns': record['width'],
        'labels': labels,
        'confidence': sure,
        'images': images,
        'classes': job.task.classes,
        'palette': job.task.palette,
        'areas': [row for row in record['areas'] if row['value'] in job.task.wanted],
        'facts': f'{size}{ground}, {100 * record["valid"]:.1f} % with data{counted}',
        'warnings': record['warnings'],
    }


def _reduced(path: Path) -> np.ndarray:
    """Bands (C, h, w) of a finished raster at the size of the page."""
    import rasterio

    with rasterio.open(path) as source:
        share = min(1.0, MAP / max(source.shape))
        shape = tuple(max(1, round(share * side)) for side in source.shape)
        return source.read(out_shape=(source.count, *shape))


def _confidence(bands: np.ndarray, labels: np.ndarray, kind: str) -> np.ndarray:
    """Probability of what the map shows, (h, w) uint8 up to 250."""
    if kind in YES_OR_NO:
        return np.where(labels == 1, bands[0], FULL - bands[0].clip(0, FULL)).astype(np.uint8)
    return bands.max(axis=0).clip(0, FULL).astype(np.uint8)


def _pictures(stack: Stack, scene: Scene) -> Iterator[tuple[str, np.ndarray]]:
    """Names and pictures of the dates, in natural and, where there are the bands, false colour."""
    chosen = np.unique(np.linspace(0, len(stack.dates) - 1, SHOWN).round().astype(int))
    for place in chosen if len(stack.dates) > SHOWN else range(len(stack.dates)):
        date, image = stack.dates[place], scene.images[place]
        share = min(1.0, PICTURE / max(date.shape))
        shape = tuple(max(1, round(share * side)) for side in date.shape)
        values, missing = date.read(out_shape=None if share == 1 else shape)
        name = 'image' if len(stack.dates) == 1 else str(image.date or f'date {place + 1}')
        yield name, _picture(values, missing, date.bands)
        if set(FALSE_COLOUR) <= {canonical_band(band) for band in date.bands}:
            yield f'{name}, false colour', _picture(values, missing, date.bands, FALSE_COLOUR)


def _picture(values, missing, bands, show=None) -> np.ndarray:
    picture = composite(fill_missing(values, missing), bands, show)
    if missing is not None:
        picture = picture.copy()
        picture[missing] = 0
    return picture
