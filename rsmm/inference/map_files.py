"""One scene to its files: map, probabilities, polygons, areas."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from torch import nn

from rsmm.datasets.pastis import REFERENCE
from rsmm.datasets.transforms.gaps import IGNORE
from rsmm.errors import ConfigError
from rsmm.geo.cog import attribute_table, strip_writer, to_cog
from rsmm.geo.ground import pixel_metres
from rsmm.geo.streaming import Stack
from rsmm.geo.windows import sliding_windows
from rsmm.inference.area_table import AreaCounter, area_table, table_text
from rsmm.inference.map_polygons import write_polygons
from rsmm.inference.mapping import Series, Tiling, map_rows, steps
from rsmm.inference.places import Scene
from rsmm.inference.regrid import regridded
from rsmm.inference.scene import bands_to_read, check_dates
from rsmm.inference.tasks import YES_OR_NO, Reading, Task
from rsmm.inference.thumbnails import scene_limits
from rsmm.version import __version__

#: Probability 1 as it is stored in bytes.
FULL = 250
DEPTHS = ('uint8', 'float16')


@dataclass(frozen=True)
class Job:
    """A model and what it shall write.

    Attributes:
        model: On its device.
        task: What it makes.
        reading: How its files are read.
        order: Declared bands of the files, None where they name theirs.
        tiling: How scenes are cut.
        probabilities: None, ``'uint8'`` (250 is 1, with a scale tag) or ``'float16'``.
        confusion: Validation counts, see :func:`rsmm.inference.area_table.area_table`.
        polygons: Settings of :func:`rsmm.inference.map_polygons.write_polygons`, None for none.
        tags: Written into every raster.
        check: Called with the open files; returns warnings, or raises.
        gsd: Metres of the pixels to which scenes are brought first, None to leave them.
    """

    model: nn.Module
    task: Task
    reading: Reading
    order: Sequence[str] | None = None
    tiling: Tiling = field(default_factory=Tiling)
    probabilities: str | None = None
    confusion: np.ndarray | None = None
    polygons: dict | None = None
    tags: dict = field(default_factory=dict)
    check: Callable[..., list[str]] = lambda *_: []
    gsd: float | None = None


@contextlib.contextmanager
def open_scene(job: Job, scene: Scene) -> Iterator[tuple[Stack, tuple | None]]:
    """Open the images of a scene; also the limits by which whole images are scaled."""
    check_dates(job.model, len(scene.images))
    order, wanted = bands_to_read(job.model, job.order)
    options = {'nodata': job.reading.nodata, 'scaled': job.reading.scaled, 'trusted': True}
    with tempfile.TemporaryDirectory() as folder:
        paths = scene.paths
        if job.gsd is not None:
            paths = regridded(paths, job.gsd, Path(folder))
        with Stack(paths, wanted, order, **options) as stack:
            scale = job.reading.scale
            yield stack, None if scale is None else scene_limits(stack, scale)


def series_of(job: Job, scene: Scene) -> Series | None:
    """Days of a series counted as in training: a season of another year is moved by whole years.

    Raises:
        ConfigError: The checkpoint does not say how its series were normalised.
    """
    if job.task.kind != 'season':
        return None
    first = scene.images[0].date
    start = REFERENCE.replace(year=first.year - (first < REFERENCE.replace(year=first.year)))
    days = [(image.date - start).days for image in scene.images]
    norm = job.reading.norm
    if norm is None:
        raise ConfigError(
            'the checkpoint does not say by what mean and deviation its series were normalised',
            where=scene.name,
            fix='Train with this version, which saves it, or pass a data set: --cfg-options '
            'data_root=DIR',
        )
    mean, std = (np.asarray(values, np.float32) for values in norm)
    return Series(days, (mean, std))


def tiles_of(job: Job, shape: tuple[int, int]) -> int:
    """Number of tiles of a scene."""
    side, stride = steps(job.model, job.tiling.tile, job.tiling.stride, shape)
    return len(sliding_windows(shape, side, stride))


def scene_rows(job: Job, scene: Scene, stack: Stack, limits, start: Callable, probabilities: bool):
    """Rows of a scene's map; ``start(total)`` returns what is called after each tile."""
    return map_rows(
        job.model, stack, job.tiling, limits=limits, series=series_of(job, scene),
        ignored=job.task.ignored, probabilities=probabilities,
        done=start(tiles_of(job, stack.shape)),
    )  # fmt: skip


def file_names(job: Job, scene: Scene) -> dict[str, str]:
    """Names of all files of a scene, by what they are."""
    names = {'map': f'{scene.name}_map.tif', 'table': f'{scene.name}_map.tif.aux.xml'}
    names['areas'] = f'{scene.name}_areas.csv'
    if job.probabilities:
        names['probabilities'] = f'{scene.name}_probabilities.tif'
    if job.polygons is not None:
        names['polygons'] = f'{scene.name}_polygons{job.polygons.get("suffix", ".gpkg")}'
    return names


def write_scene(job: Job, scene: Scene, folder: Path, start: Callable) -> tuple[dict, dict]:
    """Map a scene into a folder.

    Args:
        job: What to do.
        scene: The images.
        folder: For unfinished files.
        start: Called with the number of tiles; returns what is called after each.

    Returns:
        Path of each file by its final name, and the scene's record (a dict for JSON).
    """
    names = file_names(job, scene)
    paths = {kind: folder / name for kind, name in names.items()}
    with open_scene(job, scene) as (stack, limits):
        warnings = job.check(stack, limits)
        shape, place = stack.shape, dict(stack.place)
        counter = AreaCounter(shape, place)
        with contextlib.ExitStack() as files:
            write = _raster_writers(job, folder, shape, place, files)
            wanted = job.probabilities is not None or job.polygons is not None
            for rows in scene_rows(job, scene, stack, limits, start, wanted):
                counter.add(rows.start, rows.labels)
                for one in write:
                    one(rows)
    task, pixels = job.task, counter.pixels
    to_cog(folder / 'labels.tif', paths['map'])
    counts = pixels[: len(task.classes)].tolist()
    text = attribute_table(task.classes, task.palette, counts)
    paths['table'].write_text(text, encoding='utf-8')
    if job.probabilities:
        more = {'NBITS': 16} if job.probabilities == 'float16' else {}
        to_cog(folder / 'classes.tif', paths['probabilities'], 'AVERAGE', **more)
    table = area_table(counter, task.classes, task.ignored, job.confusion)
    paths['areas'].write_text(table_text(table), encoding='utf-8')
    record = {
        'scene': scene.name, 'kind': task.kind, 'height': shape[0], 'width': shape[1],
        'crs': crs_name(place.get('crs')), 'gsd': pixel_metres(shape, place),
        'valid': counter.valid, 'warnings': warnings, 'areas': table,
        'images': [image.path for image in scene.images],
        'dates': [None if i.date is None else i.date.isoformat() for i in scene.images],
    }  # fmt: skip
    if not counter.valid:
        warnings.append('no pixel has data: the map is empty')
    if job.polygons is not None:
        settings = {key: value for key, value in job.polygons.items() if key != 'suffix'}
        record['polygons'] = write_polygons(
            paths['polygons'], folder / 'labels.tif', folder / 'confidence.tif', task, place,
            full=FULL, **settings,
        )  # fmt: skip
    return {names[kind]: path for kind, path in paths.items()}, record


def _raster_writers(job: Job, folder: Path, shape, place, files: contextlib.ExitStack) -> list:
    """Functions that take :class:`rsmm.inference.mapping.Rows` and write to plain files."""
    task, tags = job.task, _tags(job)
    common = {'tags': tags, **place}
    label = files.enter_context(
        strip_writer(
            folder / 'labels.tif', shape, 'uint8', nodata=IGNORE, bands=('class',),
            palette=task.palette, **common,
        )
    )  # fmt: skip
    writers = [lambda rows: label(rows.start, rows.labels)]
    if job.probabilities:
        kept = (1,) if task.kind in YES_OR_NO else task.wanted
        bytes_ = job.probabilities == 'uint8'
        write = files.enter_context(
            strip_writer(
                folder / 'classes.tif', shape, 'uint8' if bytes_ else 'float32', count=len(kept),
                nodata=IGNORE if bytes_ else np.nan, bands=[task.classes[k] for k in kept],
                scale=1 / FULL if bytes_ else None, **common,
            )
        )  # fmt: skip

        def classes(rows) -> None:
            values = rows.probabilities[..., list(kept)]
            write(rows.start, as_bytes(values) if bytes_ else values)

        writers.append(classes)
    if job.polygons is not None:
        sure = files.enter_context(
            strip_writer(folder / 'confidence.tif', shape, 'uint8', nodata=IGNORE)
        )

        def confidence(rows) -> None:
            chosen = np.where(rows.labels == IGNORE, 0, rows.labels).astype(np.int64)
            found = np.take_along_axis(rows.probabilities, chosen[..., None], axis=2)[..., 0]
            sure(rows.start, as_bytes(found))

        writers.append(confidence)
    return writers


def as_bytes(probabilities: np.ndarray) -> np.ndarray:
    """Store probabilities as 0..250, 255 where there is none."""
    scaled = np.rint(np.nan_to_num(probabilities) * FULL).clip(0, FULL).astype(np.uint8)
    return np.where(np.isnan(probabilities), np.uint8(IGNORE), scaled)


def _tags(job: Job) -> dict[str, str]:
    names = {k: name for k, name in enumerate(job.task.classes) if k not in job.task.ignored}
    return {
        'TIFFTAG_SOFTWARE': f'rsmm {__version__}',
        'RSMM_TASK': job.task.kind,
        'RSMM_CLASSES': json.dumps(names),
        **job.tags,
    }


def crs_name(wkt: str | None) -> str | None:
    """A short name: the code of an authority where there is one."""
    if wkt is None:
        return None
    from pyproj import CRS

    crs = CRS.from_user_input(wkt)
    code = crs.to_authority()
    return ':'.join(code) if code else crs.name
