"""The tables of SpaceNet 7: one CSV row per building and month, or one GeoJSON file per month."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pyproj import CRS

from rsmm.errors import DataError, DataNotFoundError
from rsmm.geo.cubes import Cube, merge_same_ids
from rsmm.geo.io import integer_ids, read_vector
from rsmm.utils import atomic_write
from rsmm.utils.foreign import parsing
from rsmm.utils.listing import GEOJSON, list_files

#: Image names: month and area of interest.
STEM = re.compile(r'global_monthly_(?P<month>\d{4}_\d{2})_mosaic_(?P<aoi>L15-.{24})')
COLUMNS = ('filename', 'id', 'geometry')
#: Id of the row that stands for a month without buildings.
NO_BUILDING = -1


def make_stem(aoi: str, month: str) -> str:
    """Return the name that all files of one image share."""
    return f'global_monthly_{month}_mosaic_{aoi}'


def parse_stem(name: str) -> tuple[str, str]:
    """Return the AOI and the month (``YYYY_MM``) of a file name.

    Raises:
        DataError: The name is none of SpaceNet 7.
    """
    match = STEM.search(name)
    if match is None:
        raise DataError(
            f'{name!r} is no image name of SpaceNet 7',
            fix='Expected global_monthly_YYYY_MM_mosaic_L15-...',
        )
    return match['aoi'], match['month']


def write_submission(path: str | Path, cubes: Mapping[str, Mapping[str, Iterable]]) -> None:
    """Write footprints as the challenge's CSV: ``filename,id,geometry``, pixel-coordinate WKT.

    A month without buildings gets one row ``-1,POLYGON EMPTY``, because every image must occur.

    Args:
        path: Target; its folder must exist.
        cubes: ``{aoi: {'YYYY_MM': [(id, polygon), ...]}}``.
    """
    with atomic_write(path, 'w', encoding='utf-8', newline='') as file:
        file.write(','.join(COLUMNS) + '\n')
        for aoi in sorted(cubes):
            for month in sorted(cubes[aoi]):
                stem = make_stem(aoi, month)
                rows = list(cubes[aoi][month]) or [(NO_BUILDING, shapely.Polygon())]
                texts = shapely.to_wkt(
                    shapely.force_2d([shape for _, shape in rows]), rounding_precision=-1
                )
                file.writelines(
                    f'{stem},{name},"{text}"\n' for (name, _), text in zip(rows, texts, strict=True)
                )


def read_submission(path: str | Path, drop_empty: bool = False) -> dict[str, Cube]:
    """Read a CSV of footprints, truth or proposals.

    Args:
        path: File with the columns ``filename, id, geometry``; further columns are ignored.
        drop_empty: Leave out rows whose geometry is empty; their months remain. The reference
            scorer counts such a proposal as a false positive.

    Returns:
        ``{aoi: {'YYYY_MM': [(id, geometry), ...]}}`` with integer ids, z dropped.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: A missing column, or a row with a name, id or WKT that cannot be read; the
            message holds the row's number, counted from 1 below the header.
    """
    import pandas as pd

    if not Path(path).exists():
        raise DataNotFoundError('there is no such file', where=path)
    with parsing(path, 'is no CSV table'):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise DataError(
            f'column {", ".join(missing)} is missing; found {", ".join(table.columns)}',
            where=path,
            fix=f'Expected the header {",".join(COLUMNS)}',
        )
    names = table['filename'].str.extract(STEM)
    _all_good(path, table['filename'], names['aoi'].notna().to_numpy(), 'filename')
    ids = pd.to_numeric(table['id'], errors='coerce')
    _all_good(path, table['id'], ((ids % 1 == 0) & (ids.abs() < 2**63)).to_numpy(), 'id')
    shapes = shapely.from_wkt(table['geometry'].to_numpy(dtype=object), on_invalid='ignore')
    _all_good(path, table['geometry'], ~shapely.is_missing(shapes), 'geometry')
    rows = zip(
        names['aoi'], names['month'], ids.astype('int64'), shapely.force_2d(shapes), strict=True
    )
    return _group(rows, drop_empty)


def _all_good(path: str | Path, column: Any, good: np.ndarray, name: str) -> None:
    """Name the first bad row of a column."""
    if good.all():
        return
    row = int(np.argmin(good))
    value = str(column.iloc[row])
    shown = value if len(value) <= 60 else f'{value[:57]}...'
    expected = {
        'filename': 'global_monthly_YYYY_MM_mosaic_L15-...',
        'id': 'an integer',
        'geometry': 'well-known text such as POLYGON ((0 0, 4 0, 4 4, 0 0))',
    }[name]
    raise DataError(
        f'row {row + 1}: {name} {shown!r} cannot be read ({int((~good).sum())} such rows)',
        where=path,
        fix=f'Expected {expected}',
    )


def _group(rows: Iterable[tuple], drop_empty: bool) -> dict[str, Cube]:
    cubes: dict[str, Cube] = {}
    for aoi, month, name, shape in rows:
        frame = cubes.setdefault(aoi, {}).setdefault(month, [])
        if not (drop_empty and shape.is_empty):
            frame.append((name, shape))
    return cubes


def read_geojson_cubes(
    folder: str | Path, id_field: str = 'Id', drop_empty: bool = False
) -> dict[str, Cube]:
    """Read all ``*.geojson`` files below a folder whose names bear an AOI and a month.

    Coordinates are taken as they are, so truth and proposals must be in the same system
    (:func:`check_systems`). SCOT's area limit of 4 means pixels; map coordinates are read with a
    warning. Where the published layout offers several label folders, ``labels_match_pix`` is read.

    Args:
        folder: E.g. ``<root>/train`` of the published layout, or the tracker's output.
        id_field: Attribute with the identity.
        drop_empty: As in :func:`read_submission`.

    Raises:
        DataNotFoundError: No such file below the folder.
        DataError: A file without the id attribute or with an id that is no integer, months in
            different coordinate systems, or two files for the same image.
    """
    files = _footprint_files(folder)
    cubes: dict[str, Cube] = {}
    systems: dict[str | None, Path] = {}
    for path in files:
        aoi, month = parse_stem(path.name)
        shapes, columns, crs = read_vector(path)
        if len(shapes):
            systems.setdefault(crs, path)
        if len(systems) > 1:
            raise DataError(
                f'another coordinate system than {next(iter(systems.values()))}',
                where=path,
                fix='Score files of one coordinate system, best pixels (labels_match_pix)',
            )
        if month in cubes.setdefault(aoi, {}):
            raise DataError(
                f'a second file for {aoi} {month}', where=path, fix='Name one label folder'
            )
        if len(shapes) and id_field not in columns:
            raise DataError(
                f'no attribute {id_field!r}; found {", ".join(columns)}',
                where=path,
                fix='Identities are in labels_match and labels_match_pix, not in labels',
            )
        names = integer_ids(columns.get(id_field, []), path, id_field).tolist()
        rows = ((aoi, month, name, shape) for name, shape in zip(names, shapes, strict=False))
        cubes[aoi][month] = _group(_present(rows), drop_empty).get(aoi, {}).get(month, [])
    if any(_is_map(crs) for crs in systems):
        warnings.warn(
            f'{folder}: the coordinates are map units, not pixels; an area limit counts in them',
            stacklevel=2,
        )
    return cubes


def read_cubes(
    source: str | Path, drop_empty: bool = False, merge: bool = False
) -> dict[str, Cube]:
    """Read footprints from a CSV file or a folder of GeoJSON files.

    Args:
        source: File or folder.
        drop_empty: As in :func:`read_submission`.
        merge: Unite rows of the same id in a month.
    """
    reader = read_geojson_cubes if Path(source).is_dir() else read_submission
    cubes = reader(source, drop_empty=drop_empty)
    return {aoi: merge_same_ids(cube) for aoi, cube in cubes.items()} if merge else cubes


def check_systems(truth: str | Path, proposals: str | Path) -> None:
    """Refuse truth and proposals of which one is in pixels and the other in map units.

    Args:
        truth, proposals: CSV file (pixels) or folder of GeoJSON files each.

    Raises:
        DataError: Different coordinate systems.
    """
    ours, theirs = (_map_system(source) for source in (truth, proposals))
    if ours != theirs:
        names = ('pixels' if crs is None else CRS(crs).name for crs in (ours, theirs))
        raise DataError(
            'truth is in {}, proposals are in {}'.format(*names),
            where=proposals,
            fix='Score both in pixels: labels_match_pix or the truth CSV, and submission.csv',
        )


def _map_system(source: str | Path) -> str | None:
    """Map projection of the first GeoJSON file with features, None for pixels."""
    if Path(source).is_dir():
        for path in _footprint_files(source):
            shapes, _, crs = read_vector(path)
            if len(shapes):
                return crs if _is_map(crs) else None
    return None


def _is_map(crs: str | None) -> bool:
    # GeoJSON without a system counts as lon/lat, so pixels cannot be told from degrees.
    return crs is not None and CRS(crs).is_projected


def _footprint_files(folder: str | Path) -> list[Path]:
    files = [
        path
        for path in list_files(folder, GEOJSON, deep=True)
        if STEM.search(path.name) and not path.stem.endswith('_UDM')
    ]
    if not files:
        raise DataNotFoundError('no *.geojson files named after SpaceNet 7 images', where=folder)
    return [path for path in files if path.parent.name == 'labels_match_pix'] or files


def _present(rows: Iterable[tuple]) -> Iterable[tuple]:
    """Turn missing geometries into empty ones and drop z."""
    for aoi, month, name, shape in rows:
        flat = shapely.Polygon() if shape is None else shapely.force_2d(shape)
        yield aoi, month, name, flat
