"""Writing and reading rasters and vector layers that keep their place on the map."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from rsmm.errors import DataError, DataNotFoundError
from rsmm.geo.rasterize import Transform, as_affine
from rsmm.geo.vector_files import plain_target, read_frame, reproject, vector_format
from rsmm.utils.foreign import parsing
from rsmm.utils.leftovers import SUFFIX, sweep_once, temporary_prefix
from rsmm.utils.limits import check_limit

#: File suffix to the name of the format in GDAL.
VECTOR_FORMATS = {'.geojson': 'GeoJSON', '.gpkg': 'GPKG'}


def write_raster(
    path: str | Path,
    array: np.ndarray,
    *,
    crs: str | None = None,
    transform: Transform = None,
    nodata: float | None = None,
    bands: Sequence[str] | None = None,
) -> None:
    """Write a GeoTIFF (deflate, 256-pixel blocks where the size allows).

    The file appears under its name only once it is complete.

    Args:
        path: Target; folders are made.
        array: (H, W) or (H, W, C), any dtype GDAL has. Booleans become 0/255.
        crs: WKT or ``'EPSG:3857'``.
        transform: Affine from pixel to map coordinates.
        nodata: Value that marks missing pixels.
        bands: Names of the channels.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    array = np.asarray(array)
    array = array.astype(np.uint8) * 255 if array.dtype == bool else array
    planes = array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)
    profile = {
        'driver': 'GTiff',
        'dtype': planes.dtype,
        'count': len(planes),
        'height': planes.shape[1],
        'width': planes.shape[2],
        'nodata': nodata,
        'compress': 'deflate',
        'crs': crs,
        'transform': as_affine(transform),
    }
    if min(planes.shape[1:]) >= 256:
        profile.update(tiled=True, blockxsize=256, blockysize=256)
    with complete_file(Path(path)) as temporary, warnings.catch_warnings():
        warnings.simplefilter('ignore', NotGeoreferencedWarning)
        with rasterio.open(temporary, 'w', **profile) as target:
            target.write(planes)
            for index, name in enumerate(bands or (), start=1):
                target.set_band_description(index, name)


def write_vector(
    path: str | Path,
    geometries: Sequence[shapely.Geometry] | np.ndarray,
    columns: Mapping[str, Sequence] | None = None,
    *,
    crs: str | None = None,
    transform: Transform = None,
) -> None:
    """Write polygons as GeoJSON or GeoPackage, by the suffix of the path; none at all is fine.

    Args:
        path: Target, ``.geojson`` or ``.gpkg``; folders are made.
        geometries: Polygons.
        columns: Attributes, each as long as ``geometries``.
        crs: Coordinate system of the written coordinates. GeoJSON names it by the code of an
            authority; one without a code is brought into WGS 84, longitude first.
        transform: Affine from pixel to map coordinates, for polygons in pixels.

    Raises:
        DataError: An unknown suffix, or coordinates that do not exist in WGS 84.
    """
    import geopandas
    import pyogrio

    from rsmm.geo.rasterize import to_map

    path = Path(os.path.abspath(path))
    if path.suffix.lower() not in VECTOR_FORMATS:
        raise DataError(
            f'cannot write {path.suffix!r}',
            where=path,
            fix=f'Name the file {" or ".join("*" + suffix for suffix in VECTOR_FORMATS)}',
        )
    if transform is not None:
        geometries = to_map(geometries, transform)
    frame = geopandas.GeoDataFrame(dict(columns or {}), geometry=list(geometries), crs=crs)
    if VECTOR_FORMATS[path.suffix.lower()] == 'GeoJSON' and frame.crs is not None:
        frame = _with_code(frame, path)
    kinds = set(frame.geom_type) or {'Polygon'}
    with (
        complete_file(path) as temporary,
        contextlib.ExitStack() as stack,
        warnings.catch_warnings(),
    ):
        # Pixel coordinates have no coordinate system, and that is meant.
        warnings.filterwarnings('ignore', "'crs' was not provided")
        plain = stack.enter_context(plain_target(temporary))
        pyogrio.write_dataframe(
            frame,
            plain,
            driver=VECTOR_FORMATS[path.suffix.lower()],
            layer=path.stem,
            geometry_type=kinds.pop() if len(kinds) == 1 else 'MultiPolygon',
            promote_to_multi=len(kinds) > 1,
        )


def _with_code(frame: Any, path: Path) -> Any:
    """Bring a frame whose coordinate system has no code into one that GeoJSON can name."""
    if 'id' in frame.crs.to_json_dict():
        return frame
    moved = frame.to_crs('OGC:CRS84')
    if not np.isfinite(moved.total_bounds).all() and np.isfinite(frame.total_bounds).all():
        raise DataError(
            'the coordinate system has no code, and its coordinates do not exist in WGS 84',
            where=path,
            fix='Write a GeoPackage, which holds any coordinate system',
        )
    return moved


def read_vector(
    path: str | Path, crs: str | None = None
) -> tuple[np.ndarray, dict[str, np.ndarray], str | None]:
    """Read a vector file.

    Args:
        path: GeoJSON, GeoPackage, Shapefile or GeoParquet, told by its content. A GeoJSON without
            a byte holds no geometries.
        crs: Coordinate system to return coordinates in; the file's own when None.

    Returns:
        Geometries (N,) as stored (None for rows without one), attributes by name, and the
        coordinate system as WKT.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: It cannot be read, or its coordinates cannot be brought into ``crs``.
    """
    path = Path(os.path.abspath(path))
    if not path.is_file():
        raise DataNotFoundError('there is no such file', where=path)
    kind = vector_format(path)
    if kind is None:
        return np.zeros(0, object), {}, crs
    frame = read_frame(path, kind)
    if not hasattr(frame, 'geometry'):
        raise DataError('holds no geometries', where=path)
    if crs is not None and len(frame):
        frame = reproject(frame, crs, path)
    columns = {name: frame[name].to_numpy() for name in frame.columns if name != 'geometry'}
    return frame.geometry.to_numpy(), columns, crs or (frame.crs and frame.crs.to_wkt())


def integer_ids(
    column: Sequence | np.ndarray,
    where: str | Path,
    name: str = 'Id',
    missing: int | None = None,
) -> np.ndarray:
    """Return identities as (N,) int64.

    Args:
        column: Numbers or texts; None and NaN are missing.
        where: File, for the error.
        name: Of the attribute.
        missing: Stands for a missing identity; with None that is an error.

    Raises:
        DataError: An identity that is no integer; the message holds its row, counted from 1.
    """
    values = column if isinstance(column, np.ndarray) else np.zeros(0)
    if values.dtype.kind in 'iu' and (values.dtype != np.uint64 or values.max(initial=0) < 2**63):
        return values.astype(np.int64)
    ids = np.empty(len(column), np.int64)
    for row, value in enumerate(column):
        whole = missing if _absent(value) else _whole(value)
        if whole is None or not -(2**63) <= whole < 2**63:
            raise DataError(f'row {row + 1}: {name} {value!r} is no integer', where=where)
        ids[row] = whole
    return ids


def _absent(value: object) -> bool:
    return value is None or (isinstance(value, float | np.floating) and bool(np.isnan(value)))


def _whole(value: Any) -> int | None:
    """A number or text as an integer without a loss, None where it is none.

    Numbers with a point are exact up to 2^53; beyond, the integer that was meant is not known.
    """
    if isinstance(value, int | np.integer):
        return int(value)
    try:
        return int(value) if isinstance(value, str) else _exact(float(value))
    except ValueError:
        pass
    except TypeError:
        return None
    try:
        return _exact(float(value))
    except ValueError:
        return None


def _exact(value: float) -> int | None:
    return int(value) if value.is_integer() and abs(value) < 2**53 else None


def binary_mask(array: np.ndarray, where: str | Path | None = None) -> np.ndarray:
    """Return a 0/255 (or 0/1, or bool) mask as bool.

    Raises:
        DataError: Other values: the array is no mask, and guessing a threshold would hide that.
    """
    array = np.asarray(array)
    values = np.unique(array)
    if (
        array.dtype == bool
        or not set(values.tolist()) - {0, 255}
        or not set(values.tolist()) - {0, 1}
    ):
        return array.astype(bool)
    shown = ', '.join(str(value) for value in values[:6].tolist())
    raise DataError(
        f'expected a mask of 0 and 255, found values {shown}{", ..." if len(values) > 6 else ""}',
        where=where,
        fix='Apply a threshold first',
    )


def read_mask(path: str | Path) -> np.ndarray:
    """Read a single-band 0/255 mask as bool (H, W)."""
    return binary_mask(_grey_mask(path), path)


def read_event_mask(path: str | Path) -> np.ndarray:
    """Read a single-band mask whose values other than 0 stand for change, (H, W) bool."""
    return _grey_mask(path) > 0


def _grey_mask(path: str | Path) -> np.ndarray:
    from rsmm.geo.label_raster import grey_levels, read_label

    values = grey_levels(read_label(path)).values
    if values.ndim != 2:
        raise DataError(f'expected one band, found {values.shape[2]}', where=path)
    return values


def read_mask_stack(path: str | Path) -> np.ndarray:
    """Read the pages of an animation (GIF, multi-page TIFF) as masks, (T, H, W) bool.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: It is no image, or a page holds values other than 0 and 255.
    """
    from PIL import Image, ImageSequence

    with parsing(path, 'cannot be read'), Image.open(path) as source:
        pixels = source.width * source.height * getattr(source, 'n_frames', 1)
        check_limit('PIXELS', pixels, path)
        check_limit('READ_BYTES', pixels, path)
        pages = [np.asarray(page.convert('L')) for page in ImageSequence.Iterator(source)]
    masks = [binary_mask(page, f'{path} page {k}') for k, page in enumerate(pages)]
    if len({mask.shape for mask in masks}) != 1:
        raise DataError('the pages are of different sizes', where=path)
    return np.stack(masks)


@contextlib.contextmanager
def complete_file(path: Path) -> Iterator[Path]:
    """Give a temporary path with the same suffix, renamed to the final one on success."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep_once(path.parent)
    with tempfile.TemporaryDirectory(
        prefix=temporary_prefix(path), suffix=SUFFIX, dir=path.parent
    ) as folder:
        temporary = Path(folder) / path.name
        yield temporary
        os.replace(temporary, path)
