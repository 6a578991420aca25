"""Roads as curves: a jittered lattice of junctions joined by smooth edges."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rsmm.toy.noise import Grid, derive_seed, draw, hash_keys

#: Month number of an object that was always there.
ALWAYS = -(10**6)


def month_number(year: int, month: int) -> int:
    """Count months from January 2000 (0)."""
    return (year - 2000) * 12 + month - 1


@dataclass(frozen=True)
class Road:
    """One edge of a road network.

    Attributes:
        id: Persistent identity (63 bits).
        kind: ``'highway'`` or ``'lane'``.
        line: Vertices in metres, ``(V, 2)``.
        width: Paved width in metres.
        built: Month of opening counted from January 2000.
    """

    id: int
    kind: str
    line: np.ndarray
    width: float
    built: int


@dataclass(frozen=True)
class RoadNetwork:
    """A lattice of junctions every ``spacing`` metres, joined to the east and to the north."""

    seed: int
    kind: str
    spacing: float
    share: float
    widths: tuple[float, float]
    vertices: int
    bend: float

    def roads(self, bounds: tuple[float, float, float, float]) -> list[Road]:
        """Return the roads whose bounding box touches ``bounds`` (left, bottom, right, top)."""
        left, bottom, right, top = bounds
        reach = self.spacing
        columns = np.arange(
            int((left - reach) // self.spacing) - 1, int((right + reach) // self.spacing) + 2
        )
        rows = np.arange(
            int((bottom - reach) // self.spacing) - 1, int((top + reach) // self.spacing) + 2
        )
        column, row = (part.ravel() for part in np.meshgrid(columns, rows))
        found = []
        for axis in (0, 1):
            found += self._edges(axis, column, row, bounds)
        return found

    def _edges(self, axis, column, row, bounds) -> list[Road]:
        edge = hash_keys(derive_seed(self.seed, 'edge', axis), column, row)
        keep = draw(edge, 0) < self.share
        column, row, edge = column[keep], row[keep], edge[keep]
        start, tangent0 = self._junctions(axis, column, row)
        stop, tangent1 = self._junctions(axis, column + (axis == 0), row + (axis == 1))
        lines = _hermite(start, tangent0, stop, tangent1, self.vertices)
        width = draw(edge, 1, *self.widths)
        left, bottom, right, top = bounds
        margin = width / 2
        low, high = lines.min(axis=1), lines.max(axis=1)
        touches = (
            (low[:, 0] - margin < right)
            & (high[:, 0] + margin > left)
            & (low[:, 1] - margin < top)
            & (high[:, 1] + margin > bottom)
        )
        built = np.where(draw(edge, 2) < 0.85, ALWAYS, 192 + (draw(edge, 3) * 72).astype(int))
        return [
            Road(int(edge[k] >> np.uint64(1)), self.kind, lines[k], float(width[k]), int(built[k]))
            for k in np.flatnonzero(touches)
        ]

    def _junctions(self, axis, column, row):
        node = hash_keys(derive_seed(self.seed, 'node'), column, row)
        place = np.stack([column + draw(node, 0, 0.2, 0.8), row + draw(node, 1, 0.2, 0.8)], -1)
        swing = draw(node, 2 + axis, -self.bend, self.bend)
        # A unit vector turned by the swing, without sine and cosine.
        along = 1 / np.sqrt(1 + swing * swing)
        across = swing * along
        tangent = np.stack([along, across] if axis == 0 else [across, along], -1)
        return place * self.spacing, tangent * (self.spacing * 1.1)


def _hermite(p0, m0, p1, m1, vertices: int) -> np.ndarray:
    t = np.linspace(0, 1, vertices)[None, :, None]
    s = 1 - t
    return (
        (1 + 2 * t) * s * s * p0[:, None]
        + t * s * s * m0[:, None]
        + t * t * (3 - 2 * t) * p1[:, None]
        - t * t * s * m1[:, None]
    )


def distance_to_line(x: np.ndarray, y: np.ndarray, line: np.ndarray, reach: float) -> np.ndarray:
    """Return distances in metres from points ``(N,)`` to a polyline ``(V, 2)``.

    Distances beyond ``reach`` may come out too large, up to infinity.
    """
    best = np.full(len(x), np.inf)
    low, high = np.minimum(line[:-1], line[1:]) - reach, np.maximum(line[:-1], line[1:]) + reach
    near = (low[:, 0] < x.max()) & (high[:, 0] > x.min())
    near &= (low[:, 1] < y.max()) & (high[:, 1] > y.min())
    for k in np.flatnonzero(near):
        best = np.minimum(best, _segment_distance2(x, y, *line[k], *line[k + 1]))
    return np.sqrt(best)


def _segment_distance2(x, y, ax, ay, bx, by):
    dx, dy = bx - ax, by - ay
    t = np.clip(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy), 0, 1)
    ex, ey = x - ax - t * dx, y - ay - t * dy
    return ex * ex + ey * ey


def burn_roads(grid: Grid, roads: list[Road], margin: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return the relative distance to the nearest road and that road's position in the list.

    Args:
        grid: Sample points.
        roads: Roads to burn.
        margin: How far beyond the pavement distances are worked out, in metres.

    Returns:
        ``offset``: distance to the centre line minus half the width, metres, inf beyond the
        margin, ``(H, W)`` float32. ``owner``: position in ``roads`` or -1, ``(H, W)`` int32.
    """
    offset = np.full((grid.height, grid.width), np.inf, np.float32)
    owner = np.full((grid.height, grid.width), -1, np.int32)
    for position, road in enumerate(roads):
        reach = road.width / 2 + margin
        for (ax, ay), (bx, by) in pairwise(road.line):
            rows, columns = _window(grid, ax, ay, bx, by, reach)
            if rows.start >= rows.stop or columns.start >= columns.stop:
                continue
            x, y = grid.x[columns][None, :], grid.y[rows][:, None]
            away = np.sqrt(_segment_distance2(x, y, ax, ay, bx, by)) - road.width / 2
            here = offset[rows, columns]
            closer = (away < here) & (away <= margin)
            offset[rows, columns] = np.where(closer, away, here)
            owner[rows, columns] = np.where(closer, position, owner[rows, columns])
    return offset, owner


def _window(grid: Grid, ax, ay, bx, by, reach) -> tuple[slice, slice]:
    first = int((min(ax, bx) - reach - grid.left) // grid.gsd)
    last = int((max(ax, bx) + reach - grid.left) // grid.gsd) + 1
    upper = int((grid.top - max(ay, by) - reach) // grid.gsd)
    lower = int((grid.top - min(ay, by) + reach) // grid.gsd) + 1
    return (
        slice(max(upper, 0), min(lower, grid.height)),
        slice(max(first, 0), min(last, grid.width)),
    )
