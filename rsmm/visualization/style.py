"""The look that all figures share; nothing here touches matplotlib's global state."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK, MUTED, RULE = '#1f2328', '#656d76', '#d0d7de'
RIGHT, WRONG = '#1a7f37', '#cf222e'
#: Colours that stay apart on white, also with the common colour deficiencies in small numbers.
CATEGORIES = (
    '#0969da', '#d4722b', '#1a7f37', '#b6257a', '#7a5230',
    '#4fb3bf', '#8250df', '#cf222e', '#9a9a00', '#57606a',
)  # fmt: skip
#: Told apart by shape once the colours repeat.
MARKERS = ('o', '^', 's', 'D', 'v', 'P', 'X')


def new_figure(width: float, height: float, dpi: int = 120) -> Figure:
    """Return an empty figure with its own Agg canvas; sizes in inches."""
    figure = Figure(figsize=(width, height), dpi=dpi, facecolor='white', layout='constrained')
    FigureCanvasAgg(figure)
    return figure


def tidy(axes: Axes, grid: bool = True) -> None:
    """Keep two thin spines, muted ticks and a light grid."""
    for side, spine in axes.spines.items():
        spine.set_visible(side in ('left', 'bottom'))
        spine.set_color(RULE)
    axes.tick_params(colors=MUTED, labelsize=8, length=3, color=RULE)
    if grid:
        axes.grid(color=RULE, linewidth=0.6, alpha=0.7)
        axes.set_axisbelow(True)


def category(position: int) -> tuple[str, str]:
    """Return colour and marker of the class at a position."""
    turn, place = divmod(position, len(CATEGORIES))
    return CATEGORIES[place], MARKERS[turn % len(MARKERS)]
