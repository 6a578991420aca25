"""The look that all figures share; nothing here touches matplotlib's global state."""

from __future__ import annotations

import re

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

INK, MUTED, RULE = '#1f2328', '#656d76', '#d0d7de'
RIGHT, WRONG = '#1a7f37', '#cf222e'
#: Colours that stay apart on white, also with the common colour deficiencies in small numbers.
CATEGORIES = (
    '#0969da', '#d4722b', '#1a7f37', '#b6257a', '#7a5230',
    '#4fb3bf', '#8250df', '#cf222e', '#9a9a00', '#57606a',
)  # fmt: skip
#: Told apart by shape once the colours repeat.
MARKERS = ('o', '^', 's', 'D', 'v', 'P', 'X')


# What matplotlib itself writes at the ticks of a logarithmic axis.
_TICK = re.compile(r'\$\\mathdefault\{[-0-9^{}. ]*\}\$')


class PlainFigure(Figure):
    """A figure that shows every text as it is: a name with two dollar signs is no formula."""

    def draw(self, renderer) -> None:
        """Draw; see matplotlib."""
        self._make_plain()
        super().draw(renderer)

    def tight_layout(self, **settings) -> None:
        """Arrange the axes; see matplotlib."""
        self._make_plain()
        super().tight_layout(**settings)

    def _make_plain(self) -> None:
        for axes in self.axes:
            for axis in (axes.xaxis, axes.yaxis):
                axis.get_ticklabels(which='both')  # made only now
        for text in self.findobj(Text):
            if not _TICK.fullmatch(text.get_text()):
                text.set_parse_math(False)


def new_figure(width: float, height: float, dpi: int = 120) -> Figure:
    """Return an empty figure with its own Agg canvas; sizes in inches."""
    figure = PlainFigure(figsize=(width, height), dpi=dpi, facecolor='white', layout='constrained')
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
