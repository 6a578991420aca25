"""Connected components of points that are near each other in place and in descriptor, exactly.

Testing all pairs of a million points within reach is thousands of millions of tests. Most are
not needed: points already in one component need not meet again. So the short links along the
axes are drawn first, all at once; then cubes of points are tested against the cubes in reach,
only where they belong to different components.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

# Pairs that one block tests at once: its arrays stay in the cache of a core.
_PAIRS = 200_000
# Cubes whose neighbours are looked up at once.
_CUBES = 8_192


def connect(places: np.ndarray, descriptors: np.ndarray, radius: float, limit: float) -> np.ndarray:
    """Return the component of each point, ``(N,)`` int32 from 1 by first point.

    Args:
        places: ``(N, 3)``; linked are points at most ``radius`` apart ...
        descriptors: ``(N, K)``; ... whose descriptors are less than ``limit`` apart or equal.
        radius: Largest distance, inclusive.
        limit: Smallest descriptor distance that no longer links.
    """
    cubes = _Cubes(places, radius)
    test = _Test(places[cubes.order], descriptors[cubes.order], radius, limit)
    forest = _Forest(_short_links(test))
    for own, others in cubes.neighbourhoods(forest):
        _join(test, forest, own, others)
    labels = np.empty(len(places), np.int64)
    labels[cubes.order] = forest.find(np.arange(len(places)))
    return by_first(labels)


def by_first(labels: np.ndarray) -> np.ndarray:
    """Number labels 1, 2, ... in the order in which they first occur."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first)] = np.arange(1, len(first) + 1)
    return rank[inverse]


def merge_labels(count: int, pieces: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Join components of overlapping pieces that share a point.

    Args:
        count: Number of points.
        pieces: For each piece the points in it and their labels there, from 1.

    Returns:
        ``(count,)`` int32 from 1 by first point.
    """
    points = np.concatenate([index for index, _ in pieces])
    tops = np.cumsum([count] + [labels.max() for _, labels in pieces])
    nodes = [labels + top - 1 for (_, labels), top in zip(pieces, tops, strict=False)]
    return by_first(_components(int(tops[-1]), points, np.concatenate(nodes))[:count])


def _components(count: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    ones = np.ones(len(first), np.int8)
    graph = coo_array((ones, (first, second)), shape=(count, count))
    return connected_components(graph, directed=False)[1]


class _Test:
    """The two conditions of a link, in blocks; decided in float64 wherever rounding could matter.

    Args:
        places, descriptors, radius, limit: As for :func:`connect`.
    """

    def __init__(
        self, places: np.ndarray, descriptors: np.ndarray, radius: float, limit: float
    ) -> None:
        self.places, self.descriptors = places, descriptors
        self.radius = radius
        scale = float(np.abs(descriptors).max(initial=0.0))
        # Equal rows of a product can differ in their last bits; they count as equal.
        self.limit = limit
        self.equal = 64 * float(np.finfo(np.float64).eps) * scale

    def alike(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return whether the descriptors of pairs of points are near enough, ``(M,)`` bool."""
        gap = self.descriptors[first] - self.descriptors[second]
        distance = np.sqrt(np.einsum('mk,mk->m', gap, gap))
        return (distance < self.limit) | (distance <= self.equal)

    def near(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return whether the places of pairs of points are near enough, ``(M,)`` bool."""
        gap = self.places[first] - self.places[second]
        return np.einsum('mk,mk->m', gap, gap) <= self.radius**2

    def links(self, own: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the pairs of ``own`` and ``others`` that are linked."""
        # Products in float32 sort out the many; what passes is decided one by one.
        middle = self.descriptors[own].mean(axis=0)
        a = (self.descriptors[own] - middle).astype(np.float32)
        b = (self.descriptors[others] - middle).astype(np.float32)
        aa, bb = np.einsum('nk,nk->n', a, a), np.einsum('nk,nk->n', b, b)
        slack = 1e-5 * float(aa.max(initial=0) + bb.max(initial=0))
        reach = max(self.limit, self.equal) ** 2 * (1 + 1e-5) + slack
        gap = (aa[:, None] - np.float32(2) * (a @ b.T)) + bb
        passed = gap <= np.float32(reach)
        first, second = np.nonzero(passed)
        first, second = own[first], others[second]
        kept = self.near(first, second)
        first, second = first[kept], second[kept]
        kept = self.alike(first, second)
        return first[kept], second[kept]


class _Forest:
    """Components of points, joined as links are found.

    Args:
        labels: ``(N,)`` component of each point to begin with, from 0.
    """

    def __init__(self, labels: np.ndarray) -> None:
        self._of = labels
        self._parent = np.arange(labels.max() + 1)

    def find(self, points: np.ndarray | slice) -> np.ndarray:
        """Return the component of points."""
        start = self._of[points]
        root = self._parent[start]
        while True:
            above = self._parent[root]
            if np.array_equal(above, root):
                self._parent[start] = root
                return root
            root = above

    def join(self, first: np.ndarray, second: np.ndarray) -> None:
        """Make one component of each pair of components."""
        nodes, edges = np.unique(np.concatenate([first, second]), return_inverse=True)
        group = _components(len(nodes), edges[: len(first)], edges[len(first) :])
        lowest = np.full(group.max() + 1, len(self._parent))
        np.minimum.at(lowest, group, nodes)
        self._parent[nodes] = lowest[group]


class _Cubes:
    """Points sorted into cubes of half the radius, and which cubes can hold partners.

    Attributes:
        order: ``(N,)`` positions of the points, cube after cube.
    """

    def __init__(self, places: np.ndarray, radius: float) -> None:
        # A hair more than half: two cubes away is then farther than the radius for certain.
        self._side = max(radius / 2, 1.0) * (1 + 1e-9)
        self._radius = radius
        cells = np.floor((places - places.min(axis=0)) / self._side).astype(np.int64)
        # Two spare cells on either side, so that no neighbour's key wraps around.
        self._span = cells.max(axis=0)[1:] + 5
        keys = (cells[:, 0] * self._span[0] + cells[:, 1] + 2) * self._span[1] + cells[:, 2] + 2
        self.order = np.argsort(keys, kind='stable')
        self._keys, self._start = np.unique(keys[self.order], return_index=True)
        self._start = np.append(self._start, len(places))

    def neighbourhoods(self, forest: _Forest) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the points of each cube, and those of the same and later cubes in reach.

        Cubes of one component are not held against cubes of the same.
        """
        roots = forest.find(slice(None))
        cuts = self._start[:-1]
        uniform = np.minimum.reduceat(roots, cuts) == np.maximum.reduceat(roots, cuts)
        for low in range(0, len(cuts), _CUBES):
            cubes = np.arange(low, min(low + _CUBES, len(cuts)))
            for cube, first, stop in zip(cubes, *self._partners(cubes), strict=True):
                near = _ranges(first, stop)
                own = np.arange(self._start[cube], self._start[cube + 1])
                if uniform[cube]:
                    other = forest.find(cuts[near]) != forest.find(own[:1])
                    near = near[other | ~uniform[near]]
                if len(near):
                    yield own, _ranges(self._start[near], self._start[near + 1])
                    roots = forest.find(own)
                    uniform[cube] = (roots == roots[0]).all()

    def _partners(self, cubes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where the partners of cubes begin and end in rows of cubes, two ``(M, R)``."""
        first, stop = [], []
        for dt in range(3):
            for dy in range(-2 if dt else 0, 3):
                gaps = max(dt - 1, 0) ** 2 + max(abs(dy) - 1, 0) ** 2
                if gaps * self._side**2 > self._radius**2:
                    continue
                key = self._keys[cubes] + (dt * self._span[0] + dy) * self._span[1]
                first.append(np.searchsorted(self._keys, key if dt == dy == 0 else key - 2))
                stop.append(np.searchsorted(self._keys, key + 2, side='right'))
        return np.stack(first, axis=1), np.stack(stop, axis=1)


def _ranges(first: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Return the numbers of all ranges ``first .. stop - 1``, one after another."""
    length = stop - first
    skip = np.repeat(first - np.concatenate([[0], np.cumsum(length)[:-1]]), length)
    return skip + np.arange(len(skip))


def _short_links(test: _Test) -> np.ndarray:
    """Return components, from 0, by the links between next points along each of the axes."""
    pairs = []
    for axes in ((2, 1, 0), (1, 2, 0), (0, 2, 1)):
        line = np.lexsort(test.places.T[list(axes)])
        first, second = line[:-1], line[1:]
        kept = test.near(first, second)
        first, second = first[kept], second[kept]
        kept = test.alike(first, second)
        pairs.append((first[kept], second[kept]))
    first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
    return _components(len(test.places), first, second)


def _join(test: _Test, forest: _Forest, own: np.ndarray, others: np.ndarray) -> None:
    """Find the links between two sets of points that join components."""
    rows = max(_PAIRS // len(others), 1)
    for start in range(0, len(own), rows):
        for mine, theirs in _worth_testing(forest, own[start : start + rows], others):
            first, second = test.links(mine, theirs)
            if len(first):
                forest.join(forest.find(first), forest.find(second))


def _worth_testing(forest: _Forest, own: np.ndarray, others: np.ndarray) -> Any:
    """Yield blocks that hold all pairs of different components, with few of the same."""
    mine, theirs = forest.find(own), forest.find(others)
    values, counts = np.unique(mine, return_counts=True)
    most = values[np.argmax(counts)]  # its points need none of their own component
    for part, partners in (
        (own[mine == most], others[theirs != most]),
        (own[mine != most], others),
    ):
        if len(part) and len(partners):
            yield part, partners
