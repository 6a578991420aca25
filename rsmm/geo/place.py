"""Place by ground control points or rational polynomials, where a file has no affine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import shapely

WGS84 = 'EPSG:4326'


def set_place(target: Any, crs: str | None, gcps: Sequence, rpcs: Mapping[str, str] | None) -> None:
    """Give control points (row, column, x, y, z) or coefficients to a file that is being written.

    Args:
        target: Open rasterio dataset.
        crs: WKT of the coordinates of the points.
        gcps, rpcs: See :class:`rsmm.geo.raster.Raster`.
    """
    from rasterio.crs import CRS
    from rasterio.rpc import RPC

    if gcps:
        target.gcps = (control_points(gcps), CRS.from_user_input(crs))
    if rpcs:
        target.rpcs = RPC.from_gdal(dict(rpcs))


def control_points(gcps: Sequence) -> list:
    """Turn (row, column, x, y, z) into rasterio's control points."""
    from rasterio.control import GroundControlPoint

    return [GroundControlPoint(row, column, x, y, z) for row, column, x, y, z in gcps]


def to_map_by_points(
    geometries: Sequence[shapely.Geometry] | np.ndarray,
    crs: str | None,
    gcps: Sequence = (),
    rpcs: Mapping[str, str] | None = None,
) -> tuple[np.ndarray, str | None]:
    """Turn polygons in pixels into map coordinates by control points or coefficients.

    Args:
        geometries: In pixels, x = column, y = row.
        crs: Coordinate system of the points.
        gcps: Control points (row, column, x, y, z); the fit of GDAL goes through them.
        rpcs: Coefficients, used without points, at their mean height.

    Returns:
        Geometries (N,) and their coordinate system.
    """
    from rasterio.rpc import RPC
    from rasterio.transform import GCPTransformer, RPCTransformer

    array = np.empty(len(geometries), object)
    array[:] = geometries
    if gcps:
        transformer, heights = GCPTransformer(control_points(gcps)), 0.0
    else:
        coefficients = RPC.from_gdal(dict(rpcs or {}))
        transformer, heights, crs = RPCTransformer(coefficients), coefficients.height_off, WGS84

    def apply(points: np.ndarray) -> np.ndarray:
        columns, rows = points.T
        x, y = transformer.xy(rows, columns, np.full(len(rows), heights), offset='ul')
        return np.stack([x, y], axis=1)

    return shapely.transform(array, apply), crs
