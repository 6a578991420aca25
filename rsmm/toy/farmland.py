"""Fields: blocks of land with one orientation, cut into parcels with one use each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rsmm.toy.materials import ANNUAL_CROPS, PERMANENT_CROPS, Cover, Crop
from rsmm.toy.noise import Points, derive_seed, draw, hash_keys, voronoi
from rsmm.toy.terrain import Terrain

_BLOCK = 2_300.0


@dataclass
class Fields:
    """Farmland at N sample points.

    Attributes:
        cover: :class:`Cover` codes (annual, permanent, pasture, heath for fallow, hedge).
        crop: :class:`Crop` codes.
        parcel: Identity of the parcel, uint64.
        along, across: Coordinates along and across the rows of the parcel in metres.
    """

    cover: np.ndarray
    crop: np.ndarray
    parcel: np.ndarray
    along: np.ndarray
    across: np.ndarray


class Farmland:
    """Divides all land into parcels; the caller keeps those that nothing else covers."""

    def __init__(self, seed: int, terrain: Terrain) -> None:
        self._seed = derive_seed(seed, 'farmland')
        self._terrain = terrain

    def survey(self, points: Points, season: int) -> Fields:
        """Return parcels and what grows on them.

        Args:
            points: Samples.
            season: Year of harvest; crops rotate from one to the next.
        """
        blocks = voronoi(derive_seed(self._seed, 'block'), _BLOCK, points.x, points.y)
        _, first, inverse = np.unique(blocks.hashes, return_index=True, return_inverse=True)
        block = blocks.hashes[first]
        use, slope = self._block_use(block, blocks.x[first], blocks.y[first])
        use, slope, owner = use[inverse], slope[inverse], block[inverse]
        fields = self._empty(len(points.x))
        hedged = use == Cover.PASTURE
        _paste(fields, np.flatnonzero(hedged), self._meadows, points, owner)
        _paste(fields, np.flatnonzero(~hedged), self._strips, points, owner, slope, use)
        self._sow(fields, season)
        return fields

    def _empty(self, count: int) -> Fields:
        return Fields(
            np.zeros(count, np.uint8),
            np.zeros(count, np.uint8),
            np.zeros(count, np.uint64),
            np.zeros(count),
            np.zeros(count),
        )

    def _block_use(self, block, x, y) -> tuple[np.ndarray, np.ndarray]:
        """Pick the main use and the direction of the rows (a slope) of each block."""
        arid = self._terrain.arid(Points(x, y, 500.0))
        weights = np.stack([np.full(len(x), 0.42), 0.14 + 0.42 * arid, 0.44 * (1 - arid)])
        share = np.cumsum(weights / weights.sum(axis=0), axis=0)
        pick = (draw(block, 10) > share[:2]).sum(axis=0)
        use = np.array([Cover.ANNUAL, Cover.PERMANENT, Cover.PASTURE], np.uint8)[pick]
        return use, draw(block, 11, -1.6, 1.6)

    def _strips(self, points: Points, owner, slope, use) -> Fields:
        """Rectangular parcels in rows, rotated by block."""
        small = use == Cover.PERMANENT
        cosine = 1 / np.sqrt(1 + slope * slope)
        u = (points.x + slope * points.y) * cosine
        v = (points.y - slope * points.x) * cosine
        width = np.where(small, draw(owner, 12, 45, 115), draw(owner, 12, 70, 290))
        length = np.where(small, draw(owner, 13, 130, 330), draw(owner, 13, 260, 800))
        row, v_in, v_size = _cut(v, length, owner, 14)
        rows = hash_keys(self._seed, owner.view(np.int64), row)
        column, u_in, u_size = _cut(u + draw(rows, 0, 0, 400), width, rows, 15)
        parcel = hash_keys(self._seed, rows.view(np.int64), column)
        kind = _parcel_use(parcel, use, 0.86)
        edge = np.minimum(np.minimum(u_in, u_size - u_in), np.minimum(v_in, v_size - v_in))
        verge = (edge < draw(owner, 16, 1.5, 5.0)) & (draw(rows, 1) < 0.4)
        cover = np.where(verge, Cover.HEDGE, kind).astype(np.uint8)
        turned = draw(parcel, 2) < 0.3
        return Fields(
            cover, cover, parcel, np.where(turned, u_in, v_in), np.where(turned, v_in, u_in)
        )

    def _meadows(self, points: Points, owner) -> Fields:
        """Irregular parcels between hedges."""
        cells = voronoi(derive_seed(self._seed, 'meadow'), 210.0, points.x, points.y)
        parcel = hash_keys(self._seed, cells.hashes.view(np.int64), owner.view(np.int64))
        kind = _parcel_use(parcel, np.full(len(points.x), Cover.PASTURE, np.uint8), 0.93)
        hedge = cells.border < draw(owner, 17, 1.0, 7.5)
        cover = np.where(hedge, Cover.HEDGE, kind).astype(np.uint8)
        return Fields(cover, cover, parcel, points.x, points.y)

    def _sow(self, fields: Fields, season: int) -> None:
        """Choose crops: annual ones anew each season, permanent ones once."""
        yearly = hash_keys(derive_seed(self._seed, 'crop', season), fields.parcel.view(np.int64))
        annual = np.array(ANNUAL_CROPS, np.uint8)[_pick(yearly, len(ANNUAL_CROPS))]
        permanent = np.array(PERMANENT_CROPS, np.uint8)[_pick(fields.parcel, len(PERMANENT_CROPS))]
        fields.crop = np.select(
            [
                fields.cover == Cover.ANNUAL,
                fields.cover == Cover.PERMANENT,
                fields.cover == Cover.PASTURE,
            ],
            [annual, permanent, np.uint8(Crop.MEADOW)],
            np.uint8(Crop.NONE),
        ).astype(np.uint8)


def _pick(hashes: np.ndarray, count: int) -> np.ndarray:
    return (draw(hashes, 20) * count).astype(np.int64)


def _parcel_use(parcel: np.ndarray, use: np.ndarray, loyalty: float) -> np.ndarray:
    """Most parcels follow the block; the others are grass, fallow or arable."""
    other = np.array([Cover.PASTURE, Cover.HEATH, Cover.ANNUAL], np.uint8)[
        (draw(parcel, 21) * 3).astype(np.int64)
    ]
    return np.where(draw(parcel, 22) < loyalty, use, other)


def _cut(position, size, hashes, stream) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut a line into pieces of unequal size.

    Returns:
        Number of the piece, position inside it and its size in metres.
    """
    scaled = position / size
    piece = np.floor(scaled).astype(np.int64)
    keys = hashes.view(np.int64)

    def start(number: np.ndarray) -> np.ndarray:
        return number + draw(hash_keys(stream, keys, number), 0, -0.32, 0.32)

    below, above = start(piece), start(piece + 1)
    down, up = scaled < below, scaled >= above
    low = np.where(down, start(piece - 1), np.where(up, above, below))
    high = np.where(down, below, np.where(up, start(piece + 2), above))
    number = piece - down + up
    return number, (scaled - low) * size, (high - low) * size


def _paste(fields: Fields, index: np.ndarray, make, points: Points, *per_point) -> None:
    if not len(index):
        return
    some = Points(points.x[index], points.y[index], points.gsd)
    part = make(some, *(values[index] for values in per_point))
    for name in ('cover', 'crop', 'parcel', 'along', 'across'):
        getattr(fields, name)[index] = getattr(part, name)
