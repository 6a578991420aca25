"""Scenes on another grid: pixels of a given size, all dates on that of the first."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path

from rsmm.errors import ConfigError, DataError
from rsmm.geo.raster import opened


def regridded(paths: Sequence[str], gsd: float, folder: Path) -> list[str]:
    """Write virtual rasters that show images with pixels of a size, and return their paths.

    The coordinate system is that of the first image, or UTM where that counts in degrees or has
    control points. Larger pixels are means of smaller ones, smaller ones bilinear. What a warped
    image does not cover has no data.

    Args:
        paths: Images of a place.
        gsd: Side of a pixel in metres.
        folder: For the virtual rasters.

    Raises:
        ConfigError: A size of 0 or less.
        DataError: The first image has no place.
    """
    from rasterio.errors import NotGeoreferencedWarning

    if not (gsd > 0 and math.isfinite(gsd)):
        raise ConfigError(f'gsd={gsd}: expected metres, more than 0')
    grid, found = None, []
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', NotGeoreferencedWarning)
        for number, path in enumerate(paths):
            with opened(path, sidecars=True, trusted=True) as source:
                grid = grid or _grid(source, gsd, path)
                target = folder / f'{number}.vrt'
                _warp(source, grid, target, path)
                found.append(str(target))
    return found


def _place(source) -> tuple[object, dict]:
    """Coordinate system of a source, and what transforms it beside an affine."""
    if not source.transform.is_identity:
        return source.crs, {}
    points, crs = source.gcps
    if points:
        return crs, {'gcps': points}
    return ('EPSG:4326', {'rpcs': source.rpcs}) if source.rpcs else (None, {})


def _grid(source, gsd: float, path: str) -> dict:
    from rasterio.crs import CRS
    from rasterio.warp import calculate_default_transform

    crs, points = _place(source)
    if crs is None:
        raise DataError('has no place, so its pixels have no size in metres', where=path)
    crs = CRS.from_user_input(crs)
    bounds = () if points else source.bounds
    size = (source.width, source.height)
    target = crs if crs.is_projected and not points else _utm(crs, size, bounds, points)
    unit = target.linear_units_factor[1] if target.is_projected else 1.0
    transform, width, height = calculate_default_transform(
        crs, target, *size, *bounds, resolution=gsd / unit, **points
    )
    return {'crs': target, 'transform': transform, 'width': width, 'height': height}


def _utm(crs, size, bounds, points):
    """The UTM zone of the middle of an image."""
    from pyproj.aoi import AreaOfInterest
    from pyproj.database import query_utm_crs_info
    from rasterio.crs import CRS
    from rasterio.warp import calculate_default_transform

    transform, width, height = calculate_default_transform(
        crs, 'EPSG:4326', *size, *bounds, **points
    )
    lon, lat = transform * (width / 2, height / 2)
    found = query_utm_crs_info('WGS 84', AreaOfInterest(lon, lat, lon, lat))
    return CRS.from_epsg(int(found[0].code)) if found else CRS.from_epsg(3857)


def _warp(source, grid: dict, target: Path, path: str) -> None:
    import rasterio.shutil
    from rasterio.enums import Resampling
    from rasterio.vrt import WarpedVRT
    from rasterio.warp import calculate_default_transform

    crs, points = _place(source)
    if crs is None:
        raise DataError('has no place', where=path)
    bounds = () if points else source.bounds
    native, *_ = calculate_default_transform(
        crs, grid['crs'], source.width, source.height, *bounds, **points
    )
    finer = abs(native.a) < abs(grid['transform'].a)
    masked = source.nodata is None and 'alpha' not in {c.name for c in source.colorinterp}
    options = {'src_crs': crs, 'resampling': Resampling.average if finer else Resampling.bilinear}
    with WarpedVRT(source, add_alpha=masked, **options, **grid) as warped:
        rasterio.shutil.copy(warped, target, driver='VRT')
