"""Hashing and smooth noise: every random property of the toy world is a hash of coordinates.

No generator state is kept, so a place looks the same however it is reached. The pixel path uses
only exactly rounded operations (no exp, sin or BLAS), so that bytes do not depend on the processor.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MUL_A = np.uint64(0xBF58476D1CE4E5B9)
_MUL_B = np.uint64(0x94D049BB133111EB)
# A cubic B-spline of uniform(-1, 1) lattice values has this standard deviation.
_SPLINE_STD = 0.2767
# Octaves over this many samples wide are interpolated from knots every so many samples.
_SMOOTH, _KNOT = 24, 6
_TAPS = tuple((j, i) for j in range(4) for i in range(4))


@lru_cache(maxsize=4096)
def derive_seed(seed: int, *names: object) -> int:
    """Return a 63-bit seed for a named part of the world."""
    text = '/'.join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), 'little') >> 1


def hash_keys(seed: int | np.ndarray, *keys: np.ndarray) -> np.ndarray:
    """Hash integer arrays (broadcast together) to uint64, by splitmix64's finaliser."""
    value = np.atleast_1d(np.asarray(seed, dtype=np.uint64))
    for key in keys:
        value = _mix(value + _GOLDEN + np.atleast_1d(key).astype(np.int64).view(np.uint64))
    return value


def draw(hashes: np.ndarray, stream: int, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """Turn hashes into uniform numbers; each ``stream`` gives an independent one."""
    offset = np.uint64((stream * int(_GOLDEN) + 1) & 0xFFFFFFFFFFFFFFFF)
    unit = (_mix(hashes + offset) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return low + (high - low) * unit


def _mix(value: np.ndarray) -> np.ndarray:
    value = (value ^ (value >> np.uint64(30))) * _MUL_A
    value = (value ^ (value >> np.uint64(27))) * _MUL_B
    return value ^ (value >> np.uint64(31))


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """Rise from 0 at ``low`` to 1 at ``high`` with zero slope at both ends."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def wave(phase: np.ndarray) -> np.ndarray:
    """Periodic wave in [-1, 1] with period 1: a parabola in place of the sine."""
    t = phase - np.floor(phase)
    u = 2 * t - 1
    return 4 * u * (np.abs(u) - 1)


@dataclass(frozen=True)
class Grid:
    """A north-up raster of sample points.

    Attributes:
        left: Easting of the left edge in metres.
        top: Northing of the upper edge in metres.
        height: Number of rows.
        width: Number of columns.
        gsd: Distance between samples in metres.
    """

    left: float
    top: float
    height: int
    width: int
    gsd: float

    @cached_property
    def x(self) -> np.ndarray:
        """Eastings of the pixel centres, ``(W,)``."""
        return self.left + (np.arange(self.width) + 0.5) * self.gsd

    @cached_property
    def y(self) -> np.ndarray:
        """Northings of the pixel centres from north to south, ``(H,)``."""
        return self.top - (np.arange(self.height) + 0.5) * self.gsd

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top in metres."""
        return (
            self.left,
            self.top - self.height * self.gsd,
            self.left + self.width * self.gsd,
            self.top,
        )

    def refine(self, factor: int) -> Grid:
        """Return the same window with ``factor`` times as many samples along each axis."""
        return Grid(
            self.left, self.top, self.height * factor, self.width * factor, self.gsd / factor
        )

    def points(self, index: np.ndarray | None = None) -> Points:
        """Return the samples, or those with the given flat indices, as scattered points."""
        if index is None:
            return Points(np.tile(self.x, self.height), np.repeat(self.y, self.width), self.gsd)
        row, column = np.divmod(index, self.width)
        return Points(self.x[column], self.y[row], self.gsd)

    def sample(self, noise: Noise) -> np.ndarray:
        """Return noise at the samples, ``(H*W,)``."""
        return noise.on_grid(self).ravel()

    def slopes(self, noise: Noise) -> tuple[np.ndarray, ...]:
        """Return derivatives of noise per metre towards east and north, two ``(H*W,)``."""
        return tuple(part.ravel() for part in noise.slopes_on_grid(self))


@dataclass(frozen=True)
class Points:
    """Scattered sample points; answers the same questions as :class:`Grid`.

    Attributes:
        x, y: Coordinates in metres, ``(N,)``.
        gsd: Detail finer than this many metres is left out.
    """

    x: np.ndarray
    y: np.ndarray
    gsd: float = 0.0

    def sample(self, noise: Noise) -> np.ndarray:
        """Return noise at the points, ``(N,)``."""
        return noise.at(self.x, self.y, self.gsd)

    def slopes(self, noise: Noise) -> tuple[np.ndarray, ...]:
        """Return derivatives of noise per metre towards east and north, two ``(N,)``."""
        return noise.slopes_at(self.x, self.y, self.gsd)


@dataclass(frozen=True)
class Noise:
    """Fractal noise of unit variance: octaves of cubic B-splines over hashed lattices.

    Attributes:
        seed: Seed of the layer.
        scale: Lattice spacing of the coarsest octave in metres.
        octaves: Number of octaves, each half the scale of the one before.
        gain: Amplitude of an octave relative to the one before.
    """

    seed: int
    scale: float
    octaves: int = 1
    gain: float = 0.5

    def on_grid(self, grid: Grid) -> np.ndarray:
        """Sample on a grid, ``(H, W)`` float32; octaves finer than a pixel are left out."""
        return self._fields_on_grid(grid, ((0, 0),))[0]

    def slopes_on_grid(self, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
        """Return derivatives per metre towards east and north, each ``(H, W)`` float32."""
        return tuple(self._fields_on_grid(grid, ((0, 1), (1, 0))))

    def _fields_on_grid(self, grid: Grid, orders) -> np.ndarray:
        """Sum the octaves; the smooth ones are worked out on sparse knots and interpolated."""
        octaves = list(self._octaves(grid.gsd))
        limit = _SMOOTH * grid.gsd if grid.height * grid.width > 2_048 else np.inf
        smooth = [octave for octave in octaves if octave[1] >= limit]
        out = _sum_octaves(octaves[len(smooth) :], grid, orders)
        if smooth:
            knots, rows, columns = _knots(grid)
            for field, sparse in zip(out, _stack_octaves(smooth, knots, orders), strict=True):
                _spread(field, sparse, rows, columns)
        return out

    def at(self, x: np.ndarray, y: np.ndarray, gsd: float = 0.0) -> np.ndarray:
        """Sample at scattered points, float32 of the shape of ``x``."""
        return self._fields_at(x, y, gsd, ((0, 0),))[0]

    def slopes_at(
        self, x: np.ndarray, y: np.ndarray, gsd: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return derivatives per metre towards east and north at scattered points."""
        return tuple(self._fields_at(x, y, gsd, ((0, 1), (1, 0))))

    def _fields_at(self, x: np.ndarray, y: np.ndarray, gsd: float, orders) -> np.ndarray:
        out = np.zeros((len(orders), len(x)), np.float32)
        if not len(x):
            return out
        for seed, scale, weight in self._octaves(gsd):
            column, tx = _cells(x, scale)
            row, ty = _cells(y, scale)
            lattice = _lattice(seed, row.min(), row.max() + 4, column.min(), column.max() + 4)
            lattice *= np.float32(weight)
            corner = (row - row.min()) * lattice.shape[1] + (column - column.min())
            values = [lattice.ravel()[corner + j * lattice.shape[1] + i] for j, i in _TAPS]
            for field, order in zip(out, orders, strict=True):
                wy, wx = _BASIS[order[0]](ty), _BASIS[order[1]](tx)
                total = sum(
                    value * (wy[j] * wx[i]) for value, (j, i) in zip(values, _TAPS, strict=True)
                )
                field += total * np.float32(scale ** -sum(order))
        return out

    def _octaves(self, gsd: float):
        norm = sum(self.gain ** (2 * k) for k in range(self.octaves)) ** 0.5 * _SPLINE_STD
        for k in range(self.octaves):
            scale = self.scale / 2**k
            if k and scale < gsd:
                return
            yield derive_seed(self.seed, k), scale, self.gain**k / norm


def _cells(coordinate: np.ndarray, scale: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    position = coordinate / scale
    cell = np.floor(position)
    return cell.astype(np.int64) - 1, (position - cell).astype(np.float32)


def _lattice(seed: int, row0: int, row1: int, column0: int, column1: int) -> np.ndarray:
    rows = np.arange(row0, row1)[:, None]
    columns = np.arange(column0, column1)[None, :]
    return draw(hash_keys(seed, rows, columns), 0, -1, 1).astype(np.float32)


def _grid_lattice(seed: int, scale: float, grid: Grid):
    column, tx = _cells(grid.x, scale)
    row, ty = _cells(grid.y, scale)
    lattice = _lattice(seed, row.min(), row.max() + 4, column.min(), column.max() + 4)
    return (row - row.min(), ty), (column - column.min(), tx), lattice


def _sum_octaves(octaves, grid: Grid, orders) -> np.ndarray:
    """Evaluate octaves one by one: fastest on dense grids."""
    out = np.zeros((len(orders), grid.height, grid.width), np.float32)
    for seed, scale, weight in octaves:
        rows, columns, lattice = _grid_lattice(seed, scale, grid)
        lattice = lattice * np.float32(weight)
        for field, order in zip(out, orders, strict=True):
            _interpolate(field, lattice * np.float32(scale ** -sum(order)), rows, columns, order)
    return out


def _stack_octaves(octaves, grid: Grid, orders) -> np.ndarray:
    """Evaluate all octaves at once: fastest on sparse grids, where calls cost more than work."""
    seed, scale, weight = (np.array(part) for part in zip(*octaves, strict=True))
    scale, weight = scale[:, None], weight[:, None]
    column, tx = _cells(grid.x, scale)
    row, ty = _cells(grid.y, scale)
    first_row, first_column = row.min(axis=1)[:, None], column.min(axis=1)[:, None]
    row, column = row - first_row, column - first_column
    rows = (first_row + np.arange(row.max() + 4))[:, :, None]
    columns = (first_column + np.arange(column.max() + 4))[:, None, :]
    lattice = draw(hash_keys(seed[:, None, None], rows, columns), 0, -1, 1) * weight[:, :, None]
    lattice = lattice.astype(np.float32)
    layer = np.arange(len(octaves))[:, None]
    out = np.zeros((len(orders), grid.height, grid.width), np.float32)
    for field, order in zip(out, orders, strict=True):
        wy, wx = _BASIS[order[0]](ty), _BASIS[order[1]](tx)
        lines = sum(lattice[layer, row + j] * wy[j][:, :, None] for j in range(4))
        lines = np.swapaxes(lines, 1, 2)
        parts = sum(lines[layer, column + i] * wx[i][:, :, None] for i in range(4))
        steepen = (scale ** -sum(order)).astype(np.float32)
        field += (np.swapaxes(parts, 1, 2) * steepen[:, :, None]).sum(axis=0)
    return out


def _knots(grid: Grid):
    """Return a sparse grid around a dense one, and how to interpolate from it on each axis.

    Knots lie at multiples of their spacing, so that overlapping windows share them.
    """
    spacing = _KNOT * grid.gsd
    column, tx = _cells(grid.x, spacing)
    row, ty = _cells(-grid.y, spacing)
    knots = Grid(
        (column.min() - 0.5) * spacing,
        -(row.min() - 0.5) * spacing,
        int(row.max() - row.min()) + 4,
        int(column.max() - column.min()) + 4,
        spacing,
    )
    return knots, (row - row.min(), _catmull_rom(ty)), (column - column.min(), _catmull_rom(tx))


def _catmull_rom(t: np.ndarray) -> tuple[np.ndarray, ...]:
    s = 1 - t
    return (
        -t * s * s / 2,
        1 - t * t * (5 - 3 * t) / 2,
        1 - s * s * (5 - 3 * s) / 2,
        -s * t * t / 2,
    )


def _interpolate(out: np.ndarray, lattice: np.ndarray, rows, columns, order) -> None:
    """Add a spline surface (or its derivative of the given order) to ``out``."""
    (row, ty), (column, tx) = rows, columns
    wy, wx = _BASIS[order[0]](ty), _BASIS[order[1]](tx)
    _spread(out, lattice, (row, wy), (column, wx))


def _spread(out: np.ndarray, values: np.ndarray, rows, columns) -> None:
    """Add the separable interpolation of ``values`` with four taps per axis to ``out``.

    ``rows`` and ``columns`` are first tap and four weights for each row and column of ``out``.
    """
    (row, wy), (column, wx) = rows, columns
    # Columns first: what is left is to add up whole rows, which lie together in memory.
    lines = sum(values.take(column + i, axis=1) * wx[i] for i in range(4))
    for j in range(4):
        tap = lines.take(row + j, axis=0)
        tap *= wy[j][:, None]
        out += tap


def _weights(t: np.ndarray) -> tuple[np.ndarray, ...]:
    s = 1 - t
    return (
        s * s * s / 6,
        (3 * t * t * t - 6 * t * t + 4) / 6,
        (3 * s * s * s - 6 * s * s + 4) / 6,
        t * t * t / 6,
    )


def _slopes(t: np.ndarray) -> tuple[np.ndarray, ...]:
    s = 1 - t
    return (-s * s / 2, (3 * t * t - 4 * t) / 2, -(3 * s * s - 4 * s) / 2, t * t / 2)


# Spline weights of the value and of its first derivative.
_BASIS = (_weights, _slopes)


@dataclass(frozen=True)
class Cells:
    """Nearest cell of a jittered Voronoi partition for each of N points.

    Attributes:
        hashes: Cell identity, ``(N,)`` uint64.
        x, y: Seed point of the cell in metres.
        first, second: Distance to the nearest and second nearest seed in metres.
    """

    hashes: np.ndarray
    x: np.ndarray
    y: np.ndarray
    first: np.ndarray
    second: np.ndarray

    @property
    def border(self) -> np.ndarray:
        """Lower bound of the distance to the cell's border in metres."""
        return (self.second - self.first) / 2


def voronoi(seed: int, scale: float, x: np.ndarray, y: np.ndarray) -> Cells:
    """Assign points to cells whose seeds are one per ``scale`` metres, jittered."""
    column = np.floor(x / scale).astype(np.int64)
    row = np.floor(y / scale).astype(np.int64)
    row0, column0 = row.min() - 1, column.min() - 1
    rows = np.arange(row0, row.max() + 2)[:, None]
    columns = np.arange(column0, column.max() + 2)[None, :]
    hashes = hash_keys(seed, rows, columns)
    seed_x = (columns + draw(hashes, 0, 0.12, 0.88)) * scale
    seed_y = (rows + draw(hashes, 1, 0.12, 0.88)) * scale
    stride = hashes.shape[1]
    home = (row - row0) * stride + (column - column0)
    best: np.ndarray = np.full(len(x), np.inf)
    second: np.ndarray = np.full(len(x), np.inf)
    owner: np.ndarray = np.zeros(len(x), np.int64)
    flat_x, flat_y = seed_x.ravel(), seed_y.ravel()
    for shift in (a * stride + b for a in (-1, 0, 1) for b in (-1, 0, 1)):
        cell = home + shift
        dx, dy = flat_x[cell] - x, flat_y[cell] - y
        distance = dx * dx + dy * dy
        closer = distance < best
        second = np.where(closer, best, np.minimum(second, distance))
        best = np.where(closer, distance, best)
        owner = np.where(closer, cell, owner)
    return Cells(
        hashes.ravel()[owner], flat_x[owner], flat_y[owner], np.sqrt(best), np.sqrt(second)
    )
