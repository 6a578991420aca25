"""Sparse assignment that decides ties as SciPy's dense one does.

SciPy's ``linear_sum_assignment`` (shortest augmenting paths; Crouse, "On implementing 2D
rectangular assignment algorithms", IEEE Transactions on Aerospace and Electronic Systems, 2016)
returns one of the best assignments; which one, when several are best, follows from the order in
which it visits rows and columns and from the rounding of its sums. Scores that look at identities
see that choice, so it is repeated here step by step, on the pairs with a reward alone. It rests on
two facts about rewards that are 0 almost everywhere:

- a column without a row has price 0 and no price lies above it, so of the columns without a reward
  for the rows seen so far none is nearer than a free one, and one number stands for them all (but
  for the few prices that rounding has lifted above 0, which are looked at one by one);
- a path ends as soon as that number is the smallest, for such a column is always free.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

#: Two assignments whose rewards differ by less are tied.
_TIE = 1e-9


@dataclass(frozen=True)
class Assignment:
    """Chosen pairs.

    Attributes:
        row: (K,) int64, ascending.
        column: (K,) int64.
        tied: (K,) bool, another assignment of the same reward lacks this pair.
    """

    row: np.ndarray
    column: np.ndarray
    tied: np.ndarray


def assign_like_dense(
    row: np.ndarray, column: np.ndarray, reward: np.ndarray, shape: tuple[int, int]
) -> Assignment:
    """Assign rows to columns for the largest total reward, as SciPy does on the dense matrix.

    Equal to ``linear_sum_assignment(dense, maximize=True)`` without the pairs of reward 0, where
    ``dense`` is 0 but for the given pairs. Memory grows with the number of pairs, not with the
    matrix.

    Args:
        row: (P,) int64, rows of the pairs.
        column: (P,) int64, columns of the pairs; a pair occurs once.
        reward: (P,) float64 above 0.
        shape: Rows and columns of the dense matrix.

    Returns:
        The pairs, and which of them are one choice among several of the same total.
    """
    if not len(row):
        nothing = np.zeros(0, np.int64)
        return Assignment(nothing, nothing, np.zeros(0, bool))
    turned = shape[1] < shape[0]  # SciPy walks along the shorter side
    first, second = (column, row) if turned else (row, column)
    search = _Search(first, second, reward, (min(shape), max(shape)))
    search.run()
    cost = -np.asarray(reward, np.float64)
    u, v = np.array(search.u), np.array(search.v)
    chosen = np.array(search.column_of)[first] == second
    tied = _tied(first, second, chosen, cost - u[first] - v[second], u, v)
    order = np.argsort(row[chosen], kind='stable')
    return Assignment(row[chosen][order], column[chosen][order], tied[order])


@dataclass
class _Path:
    """One search for a column for one row."""

    seen: list[tuple[int, float, float]] = field(default_factory=list)  # row, way to it, its price
    plain: float = math.inf  # way to any column without reward for the rows seen
    plain_row: int = -1
    way: dict[int, float] = field(default_factory=dict)  # the other columns
    before: dict[int, int] = field(default_factory=dict)  # row from which a column was reached
    closed: dict[int, None] = field(default_factory=dict)  # columns passed, in order
    place: dict[int, int] = field(default_factory=dict)  # columns moved in the list of candidates
    holds: dict[int, int] = field(default_factory=dict)  # and what such a place holds now


class _Search:
    """State of the assignment: prices of rows and columns, and who has whom."""

    def __init__(
        self, row: np.ndarray, column: np.ndarray, reward: np.ndarray, shape: tuple[int, int]
    ) -> None:
        self.rows, self.columns = shape
        self.cost: list[dict[int, float]] = [{} for _ in range(self.rows)]
        for i, j, value in zip(row.tolist(), column.tolist(), reward.tolist(), strict=True):
            self.cost[i][j] = -value
        self.u = [0.0] * self.rows
        self.v = [0.0] * self.columns
        self.row_of = [-1] * self.columns
        self.column_of = [-1] * self.rows
        self.rounded: set[int] = set()  # columns whose price is a rounding error above 0
        self._next = list(range(self.columns + 1))  # next free column, with shortened ways

    def run(self) -> None:
        for row in range(self.rows):
            path = _Path()
            sink, length = self._shortest(row, path)
            self._reprice(row, path, length)
            self._turn(row, path, sink)

    def _shortest(self, row: int, path: _Path) -> tuple[int, float]:
        """Walk to the nearest free column; returns it and the length of the way."""
        length = 0.0
        while True:
            self._look_from(row, length, path)
            column, length = self._nearest(path)
            if self.row_of[column] < 0:
                path.way.setdefault(column, length)
                path.before.setdefault(column, path.plain_row)
                path.closed[column] = None
                return column, length
            path.closed[column] = None
            self._strike_out(column, path)
            row = self.row_of[column]

    def _look_from(self, row: int, length: float, path: _Path) -> None:
        price, cost, v = self.u[row], self.cost[row], self.v
        path.seen.append((row, length, price))
        if length - price < path.plain:
            path.plain, path.plain_row = length - price, row
        for column, known in path.way.items():
            if column not in path.closed:
                here = length + cost.get(column, 0.0) - price - v[column]
                if here < known:
                    path.way[column], path.before[column] = here, row
        for column in (*cost, *self.rounded):
            if column not in path.way:
                best = math.inf
                for earlier, way, paid in path.seen:
                    here = way + self.cost[earlier].get(column, 0.0) - paid - v[column]
                    if here < best:
                        best, path.before[column] = here, earlier
                path.way[column] = best

    def _nearest(self, path: _Path) -> tuple[int, float]:
        """The next column and the way to it: the last free one of the nearest, else the first."""
        open_ = [(way, column) for column, way in path.way.items() if column not in path.closed]
        low = min(open_)[0] if open_ else math.inf
        if low >= path.plain:
            return self._last_free(path), path.plain
        near = [column for way, column in open_ if way == low]
        free = [column for column in near if self.row_of[column] < 0]
        if free:
            return max(free, key=lambda column: self._place(column, path)), low
        return min(near, key=lambda column: self._place(column, path)), low

    def _place(self, column: int, path: _Path) -> int:
        """Where SciPy's list of candidates, which starts in falling order, holds a column."""
        return path.place.get(column, self.columns - 1 - column)

    def _strike_out(self, column: int, path: _Path) -> None:
        """Take a column from the list of candidates: the last one moves to its place."""
        end = self.columns - len(path.closed)
        place = self._place(column, path)
        last = path.holds.get(end, self.columns - 1 - end)
        if last != column:
            path.place[last], path.holds[place] = place, last

    def _last_free(self, path: _Path) -> int:
        moved = [c for c in path.place if self.row_of[c] < 0]
        # Free columns from here on have not moved.
        staying = self._free_from(len(path.closed))
        if staying < self.columns:
            moved.append(staying)
        return max(moved, key=lambda column: self._place(column, path))

    def _free_from(self, column: int) -> int:
        """The first free column from a position on; the number of columns if there is none."""
        root = column
        while self._next[root] != root:
            root = self._next[root]
        while self._next[column] != root:
            self._next[column], column = root, self._next[column]
        return root

    def _reprice(self, row: int, path: _Path, length: float) -> None:
        self.u[row] += length
        for other, _, _ in path.seen[1:]:
            self.u[other] += length - path.way[self.column_of[other]]
        for column in path.closed:
            self.v[column] -= length - path.way[column]
            (self.rounded.add if self.v[column] > 0 else self.rounded.discard)(column)

    def _turn(self, row: int, path: _Path, column: int) -> None:
        """Give every row of the path its next column."""
        self._next[column] = column + 1
        while True:
            owner = path.before[column]
            self.row_of[column] = owner
            self.column_of[owner], column = column, self.column_of[owner]
            if owner == row:
                return


def _tied(
    row: np.ndarray,
    column: np.ndarray,
    chosen: np.ndarray,
    slack: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
) -> np.ndarray:
    """Which chosen pairs lie on a closed way of pairs that cost nothing more.

    Exchanging the pairs along such a way gives another assignment of the same reward. Being without
    a partner is a node of its own, which costs nothing for those whose price is 0.
    """
    rows, columns = len(u), len(v)
    nobody = rows + columns
    tight = ~chosen & (slack < _TIE)
    alone_row, alone_column = np.ones(rows, bool), np.ones(columns, bool)
    alone_row[row[chosen]] = alone_column[column[chosen]] = False
    idle_row = np.flatnonzero(~alone_row & (u > -_TIE))
    idle_column = np.flatnonzero(~alone_column & (v > -_TIE))
    lonely_row, lonely_column = np.flatnonzero(alone_row), np.flatnonzero(alone_column)
    arcs = [
        (row[tight], rows + column[tight]),
        (rows + column[chosen], row[chosen]),
        (np.full(len(lonely_row), nobody), lonely_row),
        (idle_row, np.full(len(idle_row), nobody)),
        (rows + lonely_column, np.full(len(lonely_column), nobody)),
        (np.full(len(idle_column), nobody), rows + idle_column),
    ]
    start, end = (np.concatenate(side) for side in zip(*arcs, strict=True))
    graph = sparse.coo_matrix((np.ones(len(start)), (start, end)), (nobody + 1, nobody + 1))
    part = connected_components(graph.tocsr(), connection='strong')[1]
    return part[row[chosen]] == part[rows + column[chosen]]
