"""Scenes from what a user names: files, globs, folders, addresses, tables and STAC items."""

from __future__ import annotations

import csv
import datetime as dt
import glob
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rsmm.datasets.dates import date_of
from rsmm.errors import ConfigError, DataError, DataNotFoundError
from rsmm.geo.io import write_raster
from rsmm.inference.places import Image, Scene, check_names, is_address, stem_of
from rsmm.inference.stac import item_image
from rsmm.utils.listing import IMAGES, list_files

#: Suffixes of rasters in folders; a virtual raster is taken because its user put it there.
RASTERS = (*IMAGES, '.vrt')
#: Columns of a table that name one image, and two.
PATH_COLUMNS = ('path', 'file', 'image', 'url')
PAIR_COLUMNS = ('before', 'after')
_GLOB = frozenset('*?[')


def find_scenes(
    inputs: Sequence[str | os.PathLike | Sequence],
    dates: int | None = 1,
    bands: Sequence[str] | None = None,
    folder: str | os.PathLike | None = None,
) -> list[Scene]:
    """Turn inputs into scenes.

    Args:
        inputs: Files, globs, folders, addresses, tables (``.csv``) or STAC items (``.json``). For
            models of two dates: the earlier and the later one; two folders, paired by file name; or
            pairs as nested lists. For series: the dates of one place, a folder of them, several
            folders, or nested lists.
        dates: Images per scene; None for series.
        bands: That the model asks for by name, for STAC items that keep bands apart.
        folder: Where to write the virtual rasters that join the bands of STAC items.

    Returns:
        Scenes, each of another name.

    Raises:
        DataNotFoundError: A file is not there; all lost ones of a table are counted.
        DataError: No image, two scenes of one name, a series whose dates nothing tells.
        ConfigError: A number of images that does not make whole scenes.
    """
    given: list[Any] = list(inputs)
    texts = [one if _is_group(one) else os.fspath(one) for one in given]
    if not texts:
        raise ConfigError('no inputs', fix='Name files, folders, a table of scenes or addresses')
    if dates == 1:
        scenes = [one for text in texts for one in _singles(text, bands, folder)]
    elif dates == 2:
        scenes = list(_pairs(texts, bands, folder))
    else:
        scenes = list(_series(texts, bands, folder))
    check_names(scenes)
    return scenes


def _is_group(one: object) -> bool:
    return isinstance(one, list | tuple)


def _singles(text, bands, folder) -> Iterator[Scene]:
    if _is_group(text):
        raise ConfigError(f'{len(text)} images for one scene', fix='This model takes one')
    if _has_end(text, '.csv'):
        for name, images in read_table(text):
            for image in images:
                yield Scene(name or stem_of(image.path), (image,))
        return
    for image in expand(text, bands, folder):
        yield Scene(stem_of(image.path), (image,))


def _pairs(texts, bands, folder) -> Iterator[Scene]:
    tables = [text for text in texts if not _is_group(text) and _has_end(text, '.csv')]
    for text in tables:
        for name, images in read_table(text):
            yield _pair(name, images)
    rest = [text for text in texts if text not in tables]
    for group in (text for text in rest if _is_group(text)):
        yield _pair(None, [image for text in group for image in expand(str(text), bands, folder)])
    rest = [text for text in rest if not _is_group(text)]
    folders = [text for text in rest if os.path.isdir(text)]
    if len(folders) == 2 and len(rest) == 2:
        first, second = ({stem_of(i.path): i for i in expand(f)} for f in folders)
        alone = sorted(set(first) ^ set(second))
        if alone:
            raise DataError(f'{alone[0]} is in one of the two folders only', where=folders[0])
        for name in first:
            yield _pair(name, [first[name], second[name]])
    elif rest:
        yield _pair(None, [image for text in rest for image in expand(text, bands, folder)])


def _pair(name: str | None, images: Sequence[Image]) -> Scene:
    if len(images) != 2:
        raise ConfigError(
            f'{len(images)} images, but the model takes 2',
            fix='Give the earlier and the later image, two folders of equal names, or a table '
            'with the columns name,before,after',
        )
    return Scene(name or '_'.join(stem_of(image.path) for image in images), tuple(images))


def _series(texts, bands, folder) -> Iterator[Scene]:
    loose: list[Image] = []
    for text in texts:
        if _is_group(text):
            images = [image for one in text for image in expand(str(one), bands, folder)]
            yield _ordered(None, images)
        elif _has_end(text, '.csv'):
            groups: dict[str, list[Image]] = {}
            for name, images in read_table(text):
                groups.setdefault(name or stem_of(text), []).extend(images)
            for name, images in groups.items():
                yield _ordered(name, images)
        elif os.path.isdir(text):
            yield _ordered(Path(os.path.abspath(text)).name, expand(text, bands, folder))
        else:
            loose += expand(text, bands, folder)
    if loose:
        yield _ordered(None, loose)


def _ordered(name: str | None, images: Sequence[Image]) -> Scene:
    """A series in order of time; its dates come from tables, items, or names of files."""
    dated = [image._replace(date=image.date or date_of(image.path)) for image in images]
    for image in dated:
        if image.date is None:
            raise DataError(
                'nothing tells its date',
                where=image.path,
                fix='Put it into the name (YYYY-MM-DD), or give a table with path,date',
            )
    dated.sort(key=lambda image: image.date)
    for one, other in itertools.pairwise(dated):
        if one.date == other.date:
            raise DataError(f'is of {one.date}, as {other.path} is', where=one.path)
    return Scene(name or stem_of(dated[0].path), tuple(dated))


def expand(text: str, bands=None, folder=None) -> list[Image]:
    """Return the images of one input: itself, those of a glob or folder, the item's.

    Raises:
        DataNotFoundError: There is nothing.
    """
    if not is_address(text):
        if os.path.isdir(text):
            found = [str(path) for path in list_files(text, RASTERS)]
            if not found:
                raise DataError('holds no images', where=text, fix=f'Known: {", ".join(RASTERS)}')
            return [Image(path) for path in found]
        if not os.path.exists(text) and _GLOB & set(text):
            found = sorted(path for path in glob.glob(text, recursive=True) if os.path.isfile(path))
            if not found:
                raise DataNotFoundError('no file is called so', where=text)
            return [Image(path) for path in found]
        if not os.path.isfile(text):
            raise DataNotFoundError('there is no such file', where=text)
    if _has_end(text, '.json', '.geojson'):
        return [item_image(text, bands, folder)]
    return [Image(text)]


def _has_end(text: str, *suffixes: str) -> bool:
    return text.partition('?')[0].lower().endswith(suffixes)


def read_table(path: str) -> list[tuple[str | None, list[Image]]]:
    """Read a table of scenes: ``path`` or ``before,after``, and optionally ``name``, ``date``.

    Paths are relative to the table.

    Raises:
        DataNotFoundError: The table, or files that it names.
        DataError: Another table.
    """
    if not os.path.isfile(path):
        raise DataNotFoundError('there is no such table', where=path)
    with open(path, newline='', encoding='utf-8-sig') as file:
        reader = csv.DictReader(file)
        columns = [column.strip().lower() for column in reader.fieldnames or ()]
        reader.fieldnames = columns
        rows = list(reader)
    single = [column for column in columns if column in PATH_COLUMNS][:1]
    wanted = single or [column for column in PAIR_COLUMNS if column in columns]
    if (not single and len(wanted) != len(PAIR_COLUMNS)) or not rows:
        raise DataError(
            f'no table of scenes: columns {", ".join(columns) or "none"}, {len(rows)} rows',
            where=path,
            fix='Columns: path, or before and after; name and date if need be',
        )
    base = os.path.dirname(os.path.abspath(path))
    found = []
    for line, row in enumerate(rows, start=2):
        texts = [(row[column] or '').strip() for column in wanted]
        if not all(texts):
            raise DataError(f'line {line} names no file', where=path)
        day = _day(row.get('date'), f'{path}, line {line}')
        places = [text if is_address(text) else os.path.join(base, text) for text in texts]
        found.append(((row.get('name') or '').strip() or None, [Image(p, day) for p in places]))
    _check_all_there(path, [image.path for _, images in found for image in images])
    return found


def _day(text: str | None, where: str) -> dt.date | None:
    if not (text or '').strip():
        return None
    try:
        return dt.date.fromisoformat(text.strip()[:10])
    except ValueError as error:
        raise DataError(f'no date {text!r}', where=where, fix='Write YYYY-MM-DD') from error


def _check_all_there(table: str, paths: Sequence[str]) -> None:
    """Refuse a table before hours of work if a file of it is lost."""
    lost = [path for path in paths if not is_address(path) and not os.path.isfile(path)]
    if lost:
        shown = ', '.join(lost[:3]) + (', ...' if len(lost) > 3 else '')
        raise DataNotFoundError(
            f'{len(lost)} of {len(paths)} files are not there: {shown}',
            where=table,
            fix='Paths are relative to the table',
        )


def array_file(one, folder: Path, number: int):
    """Write an array to a file, so that one way reads all; other inputs are returned."""
    if isinstance(one, list | tuple):
        return [array_file(part, folder, number * 1000 + k) for k, part in enumerate(one)]
    if isinstance(one, str | os.PathLike):
        return one
    if not isinstance(one, np.ndarray):
        raise ConfigError(
            f'{type(one).__name__} is no path and no array', fix='Give an array (H, W, C)'
        )
    if one.ndim not in (2, 3) or not one.size or one.dtype.kind not in 'uif':
        raise DataError(
            f'array of shape {one.shape}, {one.dtype}', fix='Give numbers (H, W) or (H, W, C)'
        )
    path = folder / f'array_{number}.tif'
    write_raster(path, one)
    return str(path)
