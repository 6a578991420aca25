"""Opening vector files: which formats, how many layers, and where their coordinates lie."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from rsmm.errors import DataError, MissingDependencyError
from rsmm.geo.rasterize import Transform, as_affine
from rsmm.utils.listing import GEOJSON, has_suffix

#: What is read, by its first bytes; anything else, such as a virtual layer or the address of a
#: service, is refused whatever the name of the file: opening it can read other files.
FORMATS = {
    b'{': 'GeoJSON',
    b'SQLite format 3\0': 'GPKG',
    b'\0\0\x27\x0a': 'ESRI Shapefile',
    b'PAR1': 'Parquet',
}
_BOM = b'\xef\xbb\xbf'
#: JSON that is a program for GDAL.
_PROGRAM = b'gdal_streamed_alg'
#: A footprint so many times wider and higher than its image is none of a building in it.
TOO_LARGE = 10


def vector_format(path: Path) -> str | None:
    """Return the GDAL name of a vector file's format by its content, None for an empty GeoJSON.

    Raises:
        DataError: No known format.
    """
    try:
        with open(path, 'rb') as file:
            head = file.read(1 << 16).removeprefix(_BOM).lstrip(b' \t\r\n')
    except OSError as error:
        raise DataError(f'cannot be read ({error.strerror})', where=path) from error
    if not head and has_suffix(path, GEOJSON):
        return None
    for start, name in FORMATS.items():
        if head.startswith(start) and _PROGRAM not in head:
            return name
    raise DataError(
        f'is none of {", ".join(FORMATS.values())}',
        where=path,
        fix='Convert it, for example with ogr2ogr, or download it again',
    )


def is_plain(path: Path) -> bool:
    """Whether pyogrio takes a path for that of a file: it cuts ``a#b.gpkg`` as an address."""
    text = str(path)
    return not (set(text) & set('#?;!\n\r\t') or '://' in text or text.startswith('/vsi'))


@contextlib.contextmanager
def plain_path(path: Path) -> Iterator[Path]:
    """Give a path to a file, by a link where its own would be taken for an address."""
    if is_plain(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        # A Shapefile is several files of one stem.
        for beside in path.parent.iterdir():
            if beside.name.startswith(path.stem):
                name = f'part{beside.name.removeprefix(path.stem)}'
                if is_plain(Path(name)):
                    os.symlink(beside, os.path.join(folder, name))
        yield Path(folder, f'part{path.suffix}')


@contextlib.contextmanager
def plain_target(path: Path) -> Iterator[Path]:
    """Give a path to write to, moved to ``path`` where that would be taken for an address."""
    if is_plain(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, f'part{path.suffix}')
        yield plain
        shutil.move(plain, path)


def read_frame(path: Path, name: str) -> Any:
    """Read a vector file of a format as a GeoDataFrame.

    Raises:
        DataError: It is damaged, of another format than it looks, or has several layers.
        MissingDependencyError: GeoParquet without pyarrow.
    """
    import pyogrio
    from pyogrio._err import CPLE_BaseError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            if name == 'Parquet':
                return _read_parquet(path)
            with plain_path(path) as plain:
                layer = _layer(plain, path)
                info = pyogrio.read_info(plain, layer=layer)
                if info['driver'] != name:
                    raise DataError(f'is a {info["driver"]} file, not {name}', where=path)
                return pyogrio.read_dataframe(plain, layer=layer)
    except DataError:
        raise
    except (
        RuntimeError, ValueError, TypeError, KeyError, OSError, shapely.errors.ShapelyError,
        CPLE_BaseError,
    ) as error:  # fmt: skip
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(
            f'cannot be read ({reason})', where=path, fix='Download or copy it again'
        ) from error


def _layer(plain: Path, path: Path) -> str:
    import pyogrio

    layers = [name for name, kind in pyogrio.list_layers(plain) if kind is not None]
    if len(layers) != 1:
        raise DataError(
            f'has {len(layers)} layers with geometries: {", ".join(layers[:5])}',
            where=path,
            fix='Write the one that is meant to a file of its own',
        )
    return layers[0]


def _read_parquet(path: Path) -> Any:
    import geopandas

    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            'GeoParquet needs pyarrow', where=path, fix='pip install pyarrow'
        ) from error
    return geopandas.read_parquet(path)


def reproject(frame: Any, crs: str, path: Path) -> Any:
    """Bring a frame into a coordinate system.

    Raises:
        DataError: It has none, or its coordinates are not of the one that it states.
    """
    if frame.crs is None:
        raise DataError(
            'has no coordinate system, so it cannot be placed on the image',
            where=path,
            fix='Use labels in the image coordinate system, or set their crs',
        )
    left, bottom, right, top = frame.total_bounds
    if frame.crs.is_geographic and (max(-left, right) > 360 or max(-bottom, top) > 90):
        swapped = max(-left, right) <= 90 and max(-bottom, top) <= 360
        raise DataError(
            f'coordinates {_extent(frame.total_bounds)} are no longitudes and latitudes in degrees',
            where=path,
            fix='Write longitude first'
            if swapped
            else 'Without a crs member GeoJSON is WGS 84: write the member, or use GeoPackage',
        )
    try:
        return frame.to_crs(crs)
    except Exception as error:  # pyproj's errors have no common base beside RuntimeError
        raise DataError(
            f'cannot be brought into the coordinate system of its image ({error})', where=path
        ) from error


def check_on_image(
    shapes: Sequence[shapely.Geometry] | np.ndarray,
    shape: tuple[int, int],
    path: str | Path,
    transform: Transform = None,
) -> None:
    """Refuse footprints that miss their image altogether, or bury it.

    So are footprints with latitude first, of another zone or scene, and pixels given as degrees.

    Args:
        shapes: In pixels of the image; none at all is fine.
        shape: (H, W) of the image.
        path: Of the footprints.
        transform: Affine of the image, for the extents in the error; None for pixels.

    Raises:
        DataError: Names the extents of both.
    """
    array = np.asarray(shapes, dtype=object)
    array = array[~shapely.is_empty(array)]
    if not len(array):
        return
    image = shapely.box(0, 0, shape[1], shape[0])
    bounds = shapely.bounds(array)
    matrix = as_affine(transform)
    own, other = (
        _extent(_moved(box, matrix)) for box in (shapely.total_bounds(array), image.bounds)
    )
    unit = 'pixels' if transform is None else 'map coordinates of the image'
    touching = (bounds[:, :2] < image.bounds[2:]).all(axis=1)
    touching &= (bounds[:, 2:] > image.bounds[:2]).all(axis=1)
    fix = 'Check the order of axes, the coordinate system and that the label belongs to this image'
    if not shapely.intersects(array[touching], image).any():
        raise DataError(
            f'none of {len(array)} footprints lies on the image: they span {own}, '
            f'the image {other} in {unit}',
            where=path,
            fix=fix,
        )
    sides = bounds[:, 2:] - bounds[:, :2]
    huge = (sides > TOO_LARGE * np.array(shape[::-1])).all(axis=1)
    buried = np.flatnonzero(huge & shapely.contains(array, image))
    if len(buried):
        raise DataError(
            f'footprint {buried[0]} covers the image and {TOO_LARGE} times its width and height: '
            f'footprints span {own}, the image {other} in {unit}',
            where=path,
            fix='Pixel coordinates need label_pixels=True; otherwise check the coordinate system',
        )


def _moved(bounds: Sequence[float], matrix: Any) -> tuple[float, ...]:
    left, top, right, bottom = bounds
    corners = [matrix * corner for corner in ((left, top), (right, top), (left, bottom))]
    corners.append(matrix * (right, bottom))
    x, y = zip(*corners, strict=True)
    return min(x), min(y), max(x), max(y)


def _extent(bounds: Sequence[float]) -> str:
    left, bottom, right, top = (f'{value:.6g}' for value in bounds)
    return f'x {left} to {right}, y {bottom} to {top}'
