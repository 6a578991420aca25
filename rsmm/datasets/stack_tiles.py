"""Dated images of any size cut into tiles, each a place of a packed archive of dated scenes.

So images that are not in the layout of SeCo or CACo come to the contrastive methods: a tile
of a stack is a place, a date of the stack is a scene of it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from rsmm.datasets.packing import write_shards
from rsmm.datasets.scenes import scene_date
from rsmm.errors import ConfigError, DataError, DataNotFoundError
from rsmm.geo.missing import fill_missing
from rsmm.geo.raster import read_raster
from rsmm.geo.tags import check_tags
from rsmm.utils import track
from rsmm.utils.done_marker import content_stamp
from rsmm.utils.listing import TIFF, list_files, list_folders

#: One date of a stack: a file with all bands, or one file per band.
Source = Path | Mapping[str, str | Path]
_DAY = re.compile(r'(?<!\d)(\d{4})[-_]?(\d{2})(?:[-_]?(\d{2}))?(?!\d)')


def file_day(name: str) -> str | None:
    """Day ``YYYYMMDD`` in a file name; the first of the month where it names a month only.

    >>> file_day('global_monthly_2018_01_mosaic_L15-0368E'), file_day('T31UDQ_20171107T105229')
    ('20180101', '20171107')
    """
    for year, month, day in _DAY.findall(name.replace('T', ' ')):
        date = f'{year}{month}{day or "01"}'
        if '1970' <= year <= '2100' and scene_date(date):
            return date
    return None


def find_file_stacks(root: str | Path) -> dict[str, dict[str, Path]]:
    """List dated multi-band GeoTIFFs, one folder (with or without subfolders) per stack.

    Args:
        root: ``<root>/<stack>/**/*.tif``, the date in the file name.

    Returns:
        ``{stack: {YYYYMMDD: file}}``, both sorted.

    Raises:
        DataNotFoundError: There are no dated files.
        DataError: Two files of a stack are of the same day.
    """
    stacks: dict[str, dict[str, Path]] = {}
    for folder in list_folders(root):
        dates: dict[str, Path] = {}
        for path in list_files(folder, TIFF, deep=True):
            day = file_day(path.stem)
            if day is None:
                continue
            if day in dates:
                raise DataError(
                    f'{dates[day].name} is of the same day', where=path, fix='Keep one of them'
                )
            dates[day] = path
        if dates:
            stacks[folder.name] = dict(sorted(dates.items()))
    return _some(stacks, root, 'expected <stack>/**/*.tif with a date in the file name')


def find_oscd_stacks(
    root: str | Path, bands: Sequence[str]
) -> dict[str, dict[str, dict[str, str]]]:
    """List the OSCD cities whose two dates have all bands in files of their own.

    Args:
        root: Folder of the published archive.
        bands: Bands that both dates must have; cities without them are left out.

    Returns:
        ``{city: {YYYYMMDD: {band: file}}}``.

    Raises:
        DataNotFoundError: There is no such city.
    """
    from rsmm.datasets.oscd import band_files, read_dates

    stacks = {}
    for listing in sorted(Path(root).glob('*/*/dates.txt')):
        days = [day.replace('-', '') for day in read_dates(listing) or ()]
        files = [band_files(listing.parent / f'imgs_{date}') for date in (1, 2)]
        if len(days) == 2 and all(set(bands) <= set(found) for found in files):
            stacks[listing.parent.name] = dict(zip(days, files, strict=True))
    return _some(stacks, root, f'expected OSCD cities with bands {", ".join(bands)}')


def _some(stacks: dict, root: str | Path, expected: str) -> dict:
    if not stacks:
        raise DataNotFoundError(f'no dated images found, {expected}', where=root)
    return stacks


def read_image(source: Source, bands: Sequence[str]) -> np.ndarray:
    """Read a date on one grid, (H, W, C); coarser bands are interpolated to the finest."""
    if isinstance(source, Path):
        image, found = read_raster(source, tuple(bands))
        return fill_missing(image, found.get('missing'))
    planes, founds = zip(*(read_raster(source[band], (band,)) for band in bands), strict=True)
    check_tags(founds, [source[band] for band in bands])
    planes = [
        fill_missing(plane, found.get('missing'))[..., 0]
        for plane, found in zip(planes, founds, strict=True)
    ]
    height, width = max(plane.shape for plane in planes)
    return np.stack([cv2.resize(plane, (width, height)) for plane in planes], axis=-1)


def pack_stacks(
    stacks: Mapping[str, Mapping[str, Source]],
    out: str | Path,
    *,
    bands: Sequence[str],
    size: int,
    stride: int | None = None,
    full_scale: float | None = None,
    max_empty: float = 0.05,
    scenes_per_shard: int = 1024,
) -> int:
    """Cut stacks into tiles and pack them as places.

    A place is called ``<stack>_<row>_<column>``, a scene by its day. Dates that differ in
    size are cut to what they share, from the upper left. Whole images of one stack are in memory at
    a time.

    Args:
        stacks: Dates per stack.
        out: Folder to write; read it with ``packed=out`` of ``SeCoDataset`` or ``CACoDataset``.
        bands: Names of the bands of a multi-band file in its order, or of the band files to take.
        size: Height and width of a tile in pixels.
        stride: Pixels between tiles; ``size`` if left out.
        full_scale: Stored value that becomes 255 (10000 for reflectance): tiles become uint8, as
            SeCo stores them. None keeps the stored values.
        max_empty: Largest share of pixels that are 0 in all bands; tiles of a date with more are
            left out.
        scenes_per_shard: Scenes per file.

    Returns:
        Number of shards written now.

    Raises:
        ConfigError: Tiles without extent.
        DataError: No tile fits, or the images differ in dtype.
    """
    stride = stride or size
    if size < 1 or stride < 1:
        raise ConfigError(f'size and stride must be positive, found {size} and {stride}')

    @functools.lru_cache(maxsize=max(len(dates) for dates in stacks.values()))
    def image(stack: str, day: str) -> np.ndarray:
        return _scaled(read_image(stacks[stack][day], bands), full_scale)

    def load(name: str) -> np.ndarray:
        place, day = name.split('/')
        stack, row, column = place.rsplit('_', 2)
        top, left = int(row), int(column)
        return image(stack, day)[top : top + size, left : left + size]

    def stamp(name: str) -> list:
        place, day = name.split('/')
        source = stacks[place.rsplit('_', 2)[0]][day]
        files = [source] if isinstance(source, Path) else [source[band] for band in bands]
        return [full_scale, *map(content_stamp, files)]

    names = []
    for stack, dates in track(stacks.items(), 'Cutting tiles'):
        shapes = np.array([image(stack, day).shape[:2] for day in dates])
        height, width = shapes.min(axis=0).tolist()
        for top in range(0, height - size + 1, stride):
            for left in range(0, width - size + 1, stride):
                place = f'{stack}_{top:05d}_{left:05d}'
                scenes = [f'{place}/{day}' for day in sorted(dates)]
                names += [n for n in scenes if (load(n) == 0).all(axis=2).mean() <= max_empty]
    if not names:
        raise DataError(
            f'no tile of {size} pixels fits into {len(stacks)} stacks', fix='Choose smaller tiles'
        )
    return write_shards(
        out,
        names,
        load,
        bands=bands,
        size=size,
        resample='auto',
        scenes_per_shard=scenes_per_shard,
        stamp=stamp,
    )


def _scaled(image: np.ndarray, full_scale: float | None) -> np.ndarray:
    if full_scale is None:
        return image
    return np.clip(image * np.float32(255 / full_scale), 0, 255).astype(np.uint8)
