"""Districts, blocks, lots and the one building that stands on each lot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rsmm.toy.materials import Zone
from rsmm.toy.noise import Cells, Points, draw, hash_keys, voronoi

#: Month number of something that never happens.
NEVER = 10**6
_DISTRICT = 1_050.0


@dataclass(frozen=True)
class Kind:
    """A kind of district: measures in metres, fills as shares of the lot.

    Attributes:
        zone: Use of the land.
        block: Block length and depth from street centre to street centre.
        street: Street width.
        lots: Lots along and across a block.
        fill_along, fill_across: Range of the building's size relative to the lot.
        vacant: Share of lots without a building.
        roofs: Endmembers of roofs, picked with equal odds.
    """

    zone: Zone
    block: tuple[float, float]
    street: float
    lots: tuple[int, int]
    fill_along: tuple[float, float]
    fill_across: tuple[float, float]
    vacant: float
    roofs: tuple[str, str, str, str]


OLD_TOWN, SUBURB, SLABS, WORKS, TANKS = range(5)
KINDS = (
    Kind(Zone.RESIDENTIAL, (95, 78), 10, (4, 2), (0.78, 1.0), (0.6, 0.95), 0.06,
         ('roof_red', 'roof_red', 'roof_grey', 'concrete')),
    Kind(Zone.RESIDENTIAL, (150, 66), 8, (7, 2), (0.5, 0.75), (0.32, 0.5), 0.1,
         ('roof_red', 'roof_grey', 'roof_red', 'concrete')),
    Kind(Zone.RESIDENTIAL, (170, 130), 14, (2, 3), (0.6, 0.9), (0.3, 0.5), 0.15,
         ('roof_grey', 'concrete', 'roof_grey', 'roof_red')),
    Kind(Zone.INDUSTRIAL, (250, 180), 15, (2, 1), (0.35, 0.9), (0.35, 0.88), 0.13,
         ('roof_bright', 'roof_bright', 'roof_grey', 'roof_blue')),
    Kind(Zone.INDUSTRIAL, (240, 240), 13, (4, 4), (0.5, 0.85), (0.5, 0.85), 0.25,
         ('roof_bright', 'concrete', 'roof_bright', 'roof_grey')),
)  # fmt: skip
ZONES = np.array([kind.zone for kind in KINDS], np.uint8)


@dataclass(frozen=True)
class Addresses:
    """Which lot each of N points belongs to.

    Attributes:
        district: Cell of the district.
        kind: Position in :data:`KINDS`.
        cells: Block column and row, lot column and row, four int64 arrays.
        lot: Identity of the lot, uint64.
        on_street: Whether the point lies on a street.
    """

    district: Cells
    kind: np.ndarray
    cells: tuple[np.ndarray, ...]
    lot: np.ndarray
    on_street: np.ndarray

    def take(self, index: np.ndarray) -> Addresses:
        """Return the addresses of some of the points."""
        cells = Cells(*(getattr(self.district, name)[index] for name in Cells.__annotations__))
        return Addresses(
            cells,
            self.kind[index],
            tuple(part[index] for part in self.cells),
            self.lot[index],
            self.on_street[index],
        )


@dataclass(frozen=True)
class Footprints:
    """Buildings as rotated boxes or circles, one row per lot, in metres.

    Attributes:
        x, y: Centre of the building.
        along, across: Half sizes.
        cosine, sine: Direction of ``along``.
        round: Whether the building is a round tank with radius ``across``.
        block_x, block_y: Centre of the block.
    """

    x: np.ndarray
    y: np.ndarray
    along: np.ndarray
    across: np.ndarray
    cosine: np.ndarray
    sine: np.ndarray
    round: np.ndarray
    block_x: np.ndarray
    block_y: np.ndarray

    def cover(self, row: np.ndarray, points: Points) -> np.ndarray:
        """Tell which points lie inside the building of their row."""
        dx, dy = points.x - self.x[row], points.y - self.y[row]
        u = np.abs(dx * self.cosine[row] + dy * self.sine[row])
        v = np.abs(dy * self.cosine[row] - dx * self.sine[row])
        box = (u <= self.along[row]) & (v <= self.across[row])
        disc = u * u + v * v <= self.across[row] ** 2
        return np.where(self.round[row], disc, box)

    def ring(self, row: int) -> np.ndarray:
        """Return the corners of one building counter-clockwise, ``(V, 2)``."""
        if self.round[row]:
            angle = np.arange(16) * (np.pi / 8)
            corners = np.stack([np.cos(angle), np.sin(angle)], 1) * self.across[row]
        else:
            signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
            corners = signs * [self.along[row], self.across[row]]
        c, s = self.cosine[row], self.sine[row]
        u, v = corners.T
        return np.stack([self.x[row] + u * c - v * s, self.y[row] + v * c + u * s], axis=1)


def districts(seed: int, x: np.ndarray, y: np.ndarray) -> Cells:
    """Return the district of each point."""
    return voronoi(seed, _DISTRICT, x, y)


def district_kind(hashes: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Choose the kind of districts from their hash and their place in the town (0 is centre)."""
    pick = draw(hashes, 30)
    outer = np.select([pick < 0.36, pick < 0.44, pick < 0.6], [WORKS, TANKS, SLABS], SUBURB)
    return np.where(reach < 0.28, OLD_TOWN, outer)


def locate(seed: int, points: Points, district: Cells, kind: np.ndarray) -> Addresses:
    """Work out the lot of each point of known district and kind."""
    scale, cosine, sine = _frame(district.hashes)
    dx, dy = (points.x - district.x) / scale, (points.y - district.y) / scale
    u, v = dx * cosine + dy * sine, dy * cosine - dx * sine
    block_u, block_v, street, lots_u, lots_v, size_u, size_v = _measures(kind)
    bu, bv = np.floor(u / block_u), np.floor(v / block_v)
    inner_u, inner_v = u - bu * block_u - street / 2, v - bv * block_v - street / 2
    on_street = (
        (inner_u < 0)
        | (inner_v < 0)
        | (inner_u > size_u * lots_u)
        | (inner_v > size_v * lots_v)
        | (district.border < 7)
    )
    lu = np.clip(np.floor(inner_u / size_u), 0, lots_u - 1)
    lv = np.clip(np.floor(inner_v / size_v), 0, lots_v - 1)
    cells = tuple(part.astype(np.int64) for part in (bu, bv, lu, lv))
    lot = hash_keys(seed, district.hashes.view(np.int64), *cells)
    return Addresses(district, kind, cells, lot, on_street)


def footprints(address: Addresses) -> Footprints:
    """Return the building that the hash of each lot stands for."""
    scale, cosine, sine = _frame(address.district.hashes)
    block_u, block_v, street, _, _, size_u, size_v = _measures(address.kind)
    bu, bv, lu, lv = address.cells
    fill = np.array([kind.fill_along + kind.fill_across for kind in KINDS])[address.kind].T
    along = size_u / 2 * (fill[0] + (fill[1] - fill[0]) * draw(address.lot, 1))
    across = size_v / 2 * (fill[2] + (fill[3] - fill[2]) * draw(address.lot, 2))
    round_ = address.kind == TANKS
    across = np.where(round_, np.minimum(along, across), across)
    along = np.where(round_, across, along)
    slack_u, slack_v = size_u / 2 - along, size_v / 2 - across
    u = bu * block_u + street / 2 + (lu + 0.5) * size_u + 0.8 * slack_u * draw(address.lot, 3, -1)
    v = bv * block_v + street / 2 + (lv + 0.5) * size_v + 0.8 * slack_v * draw(address.lot, 4, -1)

    def world(pu, pv):
        return (
            address.district.x + (pu * cosine - pv * sine) * scale,
            address.district.y + (pv * cosine + pu * sine) * scale,
        )

    x, y = world(u, v)
    block_x, block_y = world((bu + 0.5) * block_u, (bv + 0.5) * block_v)
    return Footprints(
        x, y, along * scale, across * scale, cosine, sine, round_, block_x, block_y
    )  # fmt: skip


def _frame(hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return size factor and direction of districts."""
    slope = draw(hashes, 31, -1, 1)
    cosine = 1 / np.sqrt(1 + slope * slope)
    return draw(hashes, 32, 0.85, 1.2), cosine, slope * cosine


_MEASURES = np.array(
    [
        (
            *kind.block,
            kind.street,
            *kind.lots,
            (kind.block[0] - kind.street) / kind.lots[0],
            (kind.block[1] - kind.street) / kind.lots[1],
        )
        for kind in KINDS
    ]
)


def _measures(kind: np.ndarray) -> np.ndarray:
    return _MEASURES[kind].T
