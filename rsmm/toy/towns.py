"""Towns that grow: where they lie, how far they reach in which month, what stands in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rsmm.toy import lots
from rsmm.toy.lots import NEVER, Addresses, Footprints
from rsmm.toy.materials import Zone
from rsmm.toy.noise import Noise, Points, derive_seed, draw, hash_keys
from rsmm.toy.vectors import ALWAYS

Bounds = tuple[float, float, float, float]
_SPACING = 7_500.0
# The inner 55 % of the radius is old; the rest opens between 2008 and 2024.
_OLD, _GROWTH_START, _GROWTH_MONTHS = 0.55, 96, 192
# Districts that reach into a window have their seed at most this far outside it.
_PAD = 2_100.0


@dataclass(frozen=True)
class Building:
    """One building footprint.

    Attributes:
        id: Persistent identity (63 bits).
        polygon: Ring of corners in metres, counter-clockwise, not closed, ``(V, 2)``.
        built: Month of completion counted from January 2000, hugely negative for old ones.
        zone: Use of the district.
    """

    id: int
    polygon: np.ndarray
    built: int
    zone: Zone


@dataclass(frozen=True)
class TownSurvey:
    """Built-up land at N sample points.

    Attributes:
        opened: Month in which the ground becomes town, :data:`~rsmm.toy.lots.NEVER` outside.
        zone: :class:`Zone` codes.
        kind: Position in :data:`rsmm.toy.lots.KINDS`.
        street: Whether the sample lies on a street.
        lot: Identity of the lot and its building, uint64.
        built: Month from which a building covers the sample, ``NEVER`` for open ground.
        lot_built: Month in which the lot's building stands, on or beside the sample.
    """

    opened: np.ndarray
    zone: np.ndarray
    kind: np.ndarray
    street: np.ndarray
    lot: np.ndarray
    built: np.ndarray
    lot_built: np.ndarray


class Towns:
    """All towns of the world.

    Args:
        seed: Seed of the world.
        blocked: Function of points and a clearance ``(N,)`` in metres that tells where nothing
            can be built (water, highways).
        settled: Function of points that tells where a town may be founded.
    """

    def __init__(
        self,
        seed: int,
        blocked: Callable[[Points, np.ndarray], np.ndarray],
        settled: Callable[[Points], np.ndarray],
    ) -> None:
        self._seed = derive_seed(seed, 'towns')
        self._district_seed = derive_seed(self._seed, 'district')
        self._blocked = blocked
        self._settled = settled
        self._founded: dict[tuple[int, int], tuple[float, float, float] | None] = {}
        self._outline = Noise(derive_seed(self._seed, 'outline'), 700.0, 2)

    def centres(self, bounds: Bounds) -> np.ndarray:
        """Return centres and final radii in metres, ``(T, 3)``, of towns that matter in bounds."""
        left, bottom, right, top = bounds
        columns = np.arange(int((left - _PAD) // _SPACING) - 1, int((right + _PAD) // _SPACING) + 2)
        rows = np.arange(int((bottom - _PAD) // _SPACING) - 1, int((top + _PAD) // _SPACING) + 2)
        cells = [(int(column), int(row)) for column in columns for row in rows]
        self._found([cell for cell in cells if cell not in self._founded])
        towns = [self._founded[cell] for cell in cells if self._founded[cell]]
        x, y, radius = table = np.array(towns).reshape(-1, 3).T
        away = 1.5 * radius + _PAD
        near = (x + away > left) & (x - away < right) & (y + away > bottom) & (y - away < top)
        return table[:, near].T

    def _found(self, cells: list[tuple[int, int]]) -> None:
        """Work out centre and final radius of the town of each lattice cell, if it has one."""
        if not cells:
            return
        column, row = np.array(cells).T
        town = hash_keys(derive_seed(self._seed, 'town'), column, row)
        x = (column + draw(town, 0, 0.15, 0.85)) * _SPACING
        y = (row + draw(town, 1, 0.15, 0.85)) * _SPACING
        radius = 700 + 2_700 * draw(town, 2) ** 2
        exists = (draw(town, 3) < 0.85) & self._settled(Points(x, y, 200.0))
        for k, cell in enumerate(cells):
            place = (float(x[k]), float(y[k]), float(radius[k]))
            self._founded[cell] = place if exists[k] else None

    def reach(self, points: Points, centres: np.ndarray) -> np.ndarray:
        """Return the distance to the nearest town relative to its final radius, ``(N,)``."""
        best = np.full(len(points.x), np.inf)
        for x, y, radius in centres:
            dx, dy = (points.x - x) / radius, (points.y - y) / radius
            best = np.minimum(best, dx * dx + dy * dy)
        near = best < 3
        some = Points(points.x[near], points.y[near])
        wobble = 1 + 0.16 * np.clip(some.sample(self._outline), -2, 2)
        best[near] = np.sqrt(best[near]) * wobble
        return best

    def survey(self, points: Points, centres: np.ndarray) -> TownSurvey:
        """Return streets, lots and buildings at points in or near the towns listed."""
        address = self._address(points, centres)
        _, first, row = np.unique(address.lot, return_index=True, return_inverse=True)
        houses = lots.footprints(table := address.take(first))
        opened, built = self._months(table, houses, centres)
        covered = houses.cover(row, points) & ~address.on_street
        return TownSurvey(
            opened[row],
            lots.ZONES[address.kind],
            address.kind,
            address.on_street,
            address.lot,
            np.where(covered, built[row], NEVER),
            built[row],
        )

    def buildings(self, bounds: Bounds, month: int | None = None) -> list[Building]:
        """Return the buildings whose centre lies in bounds, sorted by identity.

        Args:
            bounds: Left, bottom, right, top in metres.
            month: Only those that stand in this month (from January 2000); default: all that
                are ever built.
        """
        latest = NEVER - 1 if month is None else month
        centres = self.centres(bounds)
        found: dict[int, Building] = {}
        for points in _sweep(bounds):
            near = self.reach(points, centres) < 1.4
            if near.any():
                some = Points(points.x[near], points.y[near])
                self._collect(some, centres, bounds, latest, found)
        return [found[key] for key in sorted(found)]

    def _collect(self, points, centres, bounds, latest, found) -> None:
        left, bottom, right, top = bounds
        address = self._address(points, centres)
        address = address.take(np.unique(address.lot, return_index=True)[1])
        houses = lots.footprints(address)
        _, built = self._months(address, houses, centres)
        inside = (houses.x >= left) & (houses.x < right) & (houses.y > bottom) & (houses.y <= top)
        for k in np.flatnonzero(inside & (built <= latest)):
            identity = int(address.lot[k] >> np.uint64(1))
            zone = lots.KINDS[address.kind[k]].zone
            found[identity] = Building(identity, houses.ring(k), int(built[k]), zone)

    def _address(self, points: Points, centres: np.ndarray) -> Addresses:
        cells = lots.districts(self._district_seed, points.x, points.y)
        _, first, inverse = np.unique(cells.hashes, return_index=True, return_inverse=True)
        reach = self.reach(Points(cells.x[first], cells.y[first]), centres)
        kind = lots.district_kind(cells.hashes[first], reach)
        return lots.locate(self._seed, points, cells, kind[inverse])

    def _months(self, address: Addresses, houses: Footprints, centres):
        """Return when the ground of each lot is opened and when its building stands."""
        reach = self.reach(Points(houses.block_x, houses.block_y), centres)
        growth = (reach - _OLD) / (1 - _OLD)
        start = _GROWTH_START + np.floor(growth * _GROWTH_MONTHS)
        opened = np.select([reach >= 1, growth < 0], [NEVER, ALWAYS], start).astype(np.int64)
        lot = address.lot
        infill = np.where(draw(lot, 5) < 0.92, ALWAYS, 120 + np.floor(draw(lot, 6) * 160))
        built = np.where(opened == ALWAYS, infill, opened + 3 + np.floor(draw(lot, 6) * 30))
        vacant = np.array([kind.vacant for kind in lots.KINDS])[address.kind]
        never = (draw(lot, 7) < vacant) | (opened == NEVER) | ~self._buildable(address, houses)
        return opened, np.where(never, NEVER, built).astype(np.int64)

    def _buildable(self, address: Addresses, houses: Footprints) -> np.ndarray:
        """Tell which buildings lie wholly in their district and clear of water and highways."""
        radius = np.sqrt(houses.along**2 + houses.across**2)
        home = lots.districts(self._district_seed, houses.x, houses.y)
        own = (home.hashes == address.district.hashes) & (home.border > radius + 7)
        return own & ~self._blocked(Points(houses.x, houses.y), radius + 8)


def _sweep(bounds: Bounds, step: float = 6.0, rows: int = 128):
    """Yield strips of points dense enough to hit every lot (all are over 8 m wide)."""
    left, bottom, right, top = bounds
    xs = np.arange(left - step / 2, right + step, step)
    ys = np.arange(bottom - step / 2, top + step, step)
    for start in range(0, len(ys), rows):
        x, y = (part.ravel() for part in np.meshgrid(xs, ys[start : start + rows]))
        yield Points(x, y)
