"""Cutting georeferenced images and their labels into tiles, split by place."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from affine import Affine

from rsmm.datasets.splits import SPLITS, check_fractions, random_split
from rsmm.datasets.tiling import tile_windows
from rsmm.errors import ConfigError, DataError, DataNotFoundError
from rsmm.geo.io import complete_file
from rsmm.geo.raster_files import opened
from rsmm.geo.rasterize import check_same_place
from rsmm.geo.windows import Window
from rsmm.utils import atomic_write, track
from rsmm.utils.listing import by_stem, check_partners, list_files

#: Cylindrical with true areas: one grid of metres for scenes of any coordinate system.
EQUAL_AREA = 'EPSG:6933'


def make_tiles(
    root: str | Path,
    out: str | Path,
    folders: Sequence[str] = ('images', 'labels'),
    tile: int = 256,
    stride: int | None = None,
    cell: float | None = None,
    fractions: Sequence[float] = (0.8, 0.2),
    seed: int = 0,
) -> dict[str, int]:
    """Cut the files of several folders alike; no pixel of the ground falls in two splits.

    The ground is divided into square cells, which are dealt out to the splits at random. A tile
    belongs to the split of its cells; one that reaches into cells of two splits is left out. So
    overlapping scenes and overlapping tiles share no ground between training and validation.

    Args:
        root: Folder of the folders.
        out: New folder; tiles go to ``<out>/<split>/<folder>/<name>_<row>_<column>.tif`` with their
            own place, and ``tiles.json`` lists them.
        folders: Of images first; files of the others have the same names and pixels.
        tile: Side in pixels.
        stride: Distance of tiles, default the side.
        cell: Side of a cell in metres, default four tiles of the first image. Images without a
            place are divided by themselves, into cells of four tiles.
        fractions: Shares (train, val[, test]) of the cells.
        seed: Of the draw.

    Returns:
        Tiles per split, and how many were left out (``'border'``).

    Raises:
        DataNotFoundError: A folder is absent or holds no images.
        DataError: A file without partner, or of another size or place; ``out`` holds files.
        ConfigError: Fractions or sizes that cannot be.
    """
    check_fractions(fractions, 'train')
    out = Path(out)
    if out.exists() and any(out.iterdir()):
        raise DataError('the folder is not empty', where=out, fix='Name a new one')
    files = [_files(Path(root) / name) for name in folders]
    for name, found in zip(folders[1:], files[1:], strict=True):
        check_partners(files[0], found, f'file in {name}/', 'Complete the folder')
    plan: list[tuple[str, Window, set[str]]] = []
    for name in files[0]:
        cell, tiles = _planned(name, [found[name] for found in files], tile, stride, cell)
        plan += tiles
    cells: set[str] = set().union(*(keys for _, _, keys in plan))
    splits = _dealt(cells, fractions, seed, root)
    listing: list[dict] = []
    for name, window, keys in track(plan, 'Cutting tiles'):
        stem = f'{name}_{window.row:05d}_{window.column:05d}'
        where = {splits[key] for key in keys}
        split = where.pop() if len(where) == 1 else 'border'
        listing.append({'tile': stem, 'split': split, 'window': list(window)})
        if split != 'border':
            for folder, found in zip(folders, files, strict=True):
                write_window(found[name], window, out / split / folder / f'{stem}.tif')
    out.mkdir(parents=True, exist_ok=True)
    with atomic_write(out / 'tiles.json', 'w', encoding='utf-8') as file:
        json.dump({'cell': cell, 'seed': seed, 'tiles': listing}, file, indent=1)
    return dict(Counter(entry['split'] for entry in listing))


def _dealt(
    cells: set[str], fractions: Sequence[float], seed: int, root: str | Path
) -> dict[str, str]:
    """Deal the cells out to the splits."""
    wanted = [split for split, share in zip(SPLITS, fractions, strict=False) if share > 0]
    parts = {split: random_split(cells, fractions, split, seed) for split in wanted}
    empty = [split for split, part in parts.items() if not part]
    if empty:
        raise DataError(
            f'{len(cells)} cells of ground are too few for {", ".join(wanted)}',
            where=root,
            fix='Set a smaller cell (metres), a smaller tile, or other fractions',
        )
    return {key: split for split, part in parts.items() for key in part}


def _files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise DataNotFoundError('there is no such folder', where=folder)
    found = by_stem(list_files(folder))
    if not found:
        raise DataNotFoundError('holds no images', where=folder)
    return found


def _planned(
    name: str, paths: Sequence[Path], tile: int, stride: int | None, cell: float | None
) -> tuple[float | None, list[tuple[str, Window, set[str]]]]:
    """Return the side of the cells, and a scene's tiles with the cells they reach into."""
    with opened(paths[0], sidecars=True) as source:
        shape, crs, transform = source.shape, source.crs, source.transform
    placed = crs is not None and not transform.is_identity
    if placed and cell is None:
        cell = 4 * tile * _pixel_side(transform, crs, shape)
    for path in paths[1:]:
        _check_same_grid(paths[0], path, shape, transform)
    tiles = []
    for window in tile_windows(shape, tile, stride, border='shift'):
        corners = _corners(window)
        if placed:
            keys = _cells(corners, transform, crs, cell)
        else:
            keys = {f'{name} {int(r) // (4 * tile)} {int(c) // (4 * tile)}' for r, c in corners}
        tiles.append((name, window, keys))
    return cell, tiles


def _corners(window: Window) -> list[tuple[float, float]]:
    """Row and column of the corners, half a pixel inside, so that tiles that touch share none."""
    rows = window.row + 0.5, window.row + window.height - 0.5
    columns = window.column + 0.5, window.column + window.width - 0.5
    return [(row, column) for row in rows for column in columns]


def _cells(corners, transform: Affine, crs, cell: float) -> set[str]:
    x, y = _equal_area([transform @ (column, row) for row, column in corners], crs)
    return {f'{int(a // cell)} {int(b // cell)}' for a, b in zip(x, y, strict=True)}


def _equal_area(points: Sequence[tuple[float, float]], crs) -> tuple[np.ndarray, np.ndarray]:
    from rasterio.warp import transform

    x, y = transform(crs, EQUAL_AREA, *zip(*points, strict=True))
    return np.asarray(x), np.asarray(y)


def _pixel_side(transform: Affine, crs, shape: tuple[int, int]) -> float:
    row, column = shape[0] / 2, shape[1] / 2
    points = [transform @ (column + dx, row + dy) for dx, dy in ((0, 0), (1, 0), (0, 1))]
    x, y = _equal_area(points, crs)
    area = abs((x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0]))
    return float(np.sqrt(area))


def _check_same_grid(first: Path, path: Path, shape, transform) -> None:
    with opened(path, sidecars=True) as source:
        if source.shape != shape:
            raise DataError(
                f'has {source.shape[0]}x{source.shape[1]} pixels, {first} {shape[0]}x{shape[1]}',
                where=path,
                fix='Bring both to one grid',
            )
        if not source.transform.is_identity and not transform.is_identity:
            check_same_place((first, path), (transform, source.transform), (shape, shape))


def write_window(path: Path, window: Window, target: Path) -> None:
    """Copy a window to a GeoTIFF: values, place, band names, nodata, scales and colours."""
    import rasterio

    if window.height < 1 or window.width < 1:
        raise ConfigError(f'window={tuple(window)} holds no pixels')
    row, column, height, width = window
    part = (row, row + height), (column, column + width)
    target.parent.mkdir(parents=True, exist_ok=True)
    with opened(path, sidecars=True) as source, complete_file(target) as temporary:
        profile = {
            'driver': 'GTiff',
            'dtype': source.dtypes[0],
            'count': source.count,
            'height': height,
            'width': width,
            'crs': source.crs,
            'transform': source.transform @ Affine.translation(column, row)
            if not source.transform.is_identity
            else source.transform,
            'nodata': source.nodata,
            'compress': 'deflate',
        }
        with rasterio.open(temporary, 'w', **profile) as sink:
            sink.write(source.read(window=part))
            sink.descriptions = source.descriptions
            sink.scales, sink.offsets = source.scales, source.offsets
            if source.count == 1 and source.colorinterp[0].name == 'palette':
                sink.write_colormap(1, source.colormap(1))
