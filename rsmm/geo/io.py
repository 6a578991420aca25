"""Writing and reading rasters and vector layers that keep their place on the map."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import shapely

from rsmm.errors import DataError, DataNotFoundError
from rsmm.geo.rasterize import Transform, as_affine

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
    geometries: Sequence[shapely.Geometry],
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
        crs: Coordinate system of the written coordinates.
        transform: Affine from pixel to map coordinates, for polygons in pixels.

    Raises:
        DataError: An unknown suffix.
    """
    import geopandas
    import pyogrio

    from rsmm.geo.rasterize import to_map

    path = Path(path)
    if path.suffix not in VECTOR_FORMATS:
        raise DataError(
            f'cannot write {path.suffix!r}',
            where=path,
            fix=f'Name the file {" or ".join("*" + suffix for suffix in VECTOR_FORMATS)}',
        )
    if transform is not None:
        geometries = to_map(geometries, transform)
    frame = geopandas.GeoDataFrame(dict(columns or {}), geometry=list(geometries), crs=crs)
    kinds = set(frame.geom_type) or {'Polygon'}
    with complete_file(path) as temporary, warnings.catch_warnings():
        # Pixel coordinates have no coordinate system, and that is meant.
        warnings.filterwarnings('ignore', "'crs' was not provided")
        pyogrio.write_dataframe(
            frame,
            temporary,
            driver=VECTOR_FORMATS[path.suffix],
            layer=path.stem,
            geometry_type=kinds.pop() if len(kinds) == 1 else 'MultiPolygon',
            promote_to_multi=len(kinds) > 1,
        )


def read_vector(
    path: str | Path, crs: str | None = None
) -> tuple[np.ndarray, dict[str, np.ndarray], str | None]:
    """Read a vector file.

    Args:
        path: Any vector format of GDAL.
        crs: Coordinate system to return coordinates in; the file's own when None.

    Returns:
        Geometries (N,) as stored (None for rows without one), attributes by name, and the
        coordinate system as WKT.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: It cannot be read, or its coordinates cannot be brought into ``crs``.
    """
    import pyogrio
    from pyogrio.errors import DataSourceError

    path = Path(path)
    if not path.exists():
        raise DataNotFoundError('there is no such file', where=path)
    try:
        frame = pyogrio.read_dataframe(path)
    except (DataSourceError, shapely.GEOSException, UnicodeDecodeError, ValueError) as error:
        raise DataError(f'cannot be read ({error})', where=path) from error
    if not hasattr(frame, 'geometry'):
        raise DataError('holds no geometries', where=path)
    if crs is not None and len(frame):
        if frame.crs is None:
            raise DataError(
                'has no coordinate system, so it cannot be placed on the image',
                where=path,
                fix='Use labels in the image coordinate system, or set their crs',
            )
        frame = frame.to_crs(crs)
    columns = {name: frame[name].to_numpy() for name in frame.columns if name != 'geometry'}
    return frame.geometry.to_numpy(), columns, crs or (frame.crs and frame.crs.to_wkt())


def integer_ids(
    column: Sequence, where: str | Path, name: str = 'Id', missing: int | None = None
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
    import pandas as pd

    column = pd.Series(column, dtype=object)
    numbers = pd.to_numeric(column, errors='coerce').to_numpy(float)
    absent = column.isna().to_numpy()
    bad = numbers % 1 != 0  # NaN too
    wrong = np.flatnonzero(bad if missing is None else bad & ~absent)
    if len(wrong):
        row = int(wrong[0])
        raise DataError(f'row {row + 1}: {name} {column[row]!r} is no integer', where=where)
    numbers[absent] = 0 if missing is None else missing
    return numbers.astype(np.int64)


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
    from rsmm.geo.raster import read_raster

    image, _ = read_raster(path, palette='index')
    if image.shape[2] != 1:
        raise DataError(f'expected one band, found {image.shape[2]}', where=path)
    return binary_mask(image[..., 0], path)


def read_mask_stack(path: str | Path) -> np.ndarray:
    """Read the pages of an animation (GIF, multi-page TIFF) as masks, (T, H, W) bool.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: It is no image, or a page holds values other than 0 and 255.
    """
    from PIL import Image, ImageSequence, UnidentifiedImageError

    if not Path(path).exists():
        raise DataNotFoundError('there is no such file', where=path)
    try:
        with Image.open(path) as source:
            pages = [np.asarray(page.convert('L')) for page in ImageSequence.Iterator(source)]
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f'cannot be read ({error})', where=path) from error
    return np.stack([binary_mask(page, f'{path} page {k}') for k, page in enumerate(pages)])


@contextlib.contextmanager
def complete_file(path: Path) -> Iterator[Path]:
    """Give a temporary path with the same suffix, renamed to the final one on success."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f'.{path.name}.', dir=path.parent) as folder:
        temporary = Path(folder) / path.name
        yield temporary
        os.replace(temporary, path)
