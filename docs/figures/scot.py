"""Draw the cases of the SCOT metric: python docs/figures/scot.py (writes scot.svg beside it)."""

from __future__ import annotations

from pathlib import Path

import shapely
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from rsmm.evaluation.functional import scot

OUT = Path(__file__).with_suffix('.svg')
MONTHS = ('2018_01', '2018_02', '2018_03')
LEFT, RIGHT, NEW = (0, 0), (8, 0), (4, 7)
# Per case and month: positions of the truth, then (proposal id, position).
CASES = {
    'on time': (
        [[LEFT, RIGHT], [LEFT, RIGHT, NEW], [LEFT, RIGHT, NEW]],
        [[(1, LEFT), (2, RIGHT)]] + [[(1, LEFT), (2, RIGHT), (3, NEW)]] * 2,
    ),
    'id switch': (
        [[LEFT, RIGHT], [LEFT, RIGHT, NEW], [LEFT, RIGHT, NEW]],
        [
            [(1, LEFT), (2, RIGHT)],
            [(1, LEFT), (2, RIGHT), (3, NEW)],
            [(9, LEFT), (2, RIGHT), (3, NEW)],
        ],
    ),
    'one month late': (
        [[LEFT, RIGHT], [LEFT, RIGHT, NEW], [LEFT, RIGHT, NEW]],
        [[(1, LEFT), (2, RIGHT)], [(1, LEFT), (2, RIGHT)], [(1, LEFT), (2, RIGHT), (3, NEW)]],
    ),
    'nothing changes': ([[LEFT, RIGHT]] * 3, [[(1, LEFT), (2, RIGHT)]] * 3),
}


def box(place: tuple[float, float], shift: float = 0.0) -> shapely.Polygon:
    """A building of 5 x 5 pixels."""
    x, y = place
    return shapely.box(x + shift, y + shift, x + shift + 5, y + shift + 5)


def score(truth, proposals) -> dict:
    """SCOT of one case."""
    true_rows = [[(place, box(place)) for place in frame] for frame in truth]
    rows = [[(number, box(place, 0.6)) for number, place in frame] for frame in proposals]
    cubes = ({'aoi': dict(zip(MONTHS, part, strict=True))} for part in (true_rows, rows))
    return scot(*cubes)['per_aoi']['aoi']


def main() -> None:
    """One row per case, one column per month."""
    figure = Figure(figsize=(9, 8.4), layout='constrained')
    axes = figure.subplots(len(CASES), len(MONTHS))
    for row, (name, (truth, proposals)) in zip(axes, CASES.items(), strict=True):
        found = score(truth, proposals)
        for axis, month, here, there in zip(row, MONTHS, truth, proposals, strict=True):
            for place in here:
                axis.add_patch(Polygon(box(place).exterior.coords, fc='#d9dde3', ec='#5b6470'))
            for number, place in there:
                colour = f'C{number % 10}'
                shape = box(place, 0.6)
                axis.add_patch(Polygon(shape.exterior.coords, fc='none', ec=colour, lw=2))
                axis.text(*shape.centroid.coords[0], number, ha='center', va='center', color=colour)
            axis.set(xlim=(-1, 15), ylim=(14, -1), aspect='equal', xticks=[], yticks=[])
            axis.set_title(month if row is axes[0] else '', fontsize=9)
        row[0].set_ylabel(
            f'{name}\nT {found["track_score"]:.2f}  C {found["change_score"]:.2f}\n'
            f'SCOT {100 * found["combined"]:.0f}',
            rotation=0, ha='right', va='center', fontsize=10,
        )  # fmt: skip
    figure.savefig(OUT)


if __name__ == '__main__':
    main()
