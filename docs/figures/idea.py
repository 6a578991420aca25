"""Draw docs/figures/idea.svg: python docs/figures/idea.py"""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

mpl.rcParams['svg.hashsalt'] = 'rsmm'  # same picture, same bytes
mpl.rcParams['font.family'] = 'sans-serif'

INK, BLUE, GREEN, SAND, GREY = '#22313f', '#dbe9f6', '#dff0e0', '#fbf0d9', '#eef0f2'
CONFIG = """_base_ = [...]
train_dataloader =
  dict(dataset=dict(type='EuroSAT',
       pipeline=[dict(type='LoadRaster')...
model = dict(type='MoCo',
       backbone=dict(
         type='mmpretrain.ResNet'))
val_evaluator = dict(type='...')"""


def box(axes, x, y, width, height, title, lines='', color=GREY, mono=False, size=8.5):
    """A rounded box with a bold title and text below it."""
    style = 'round,pad=0,rounding_size=0.12'
    axes.add_patch(
        FancyBboxPatch(
            (x, y), width, height, boxstyle=style, facecolor=color, edgecolor=INK, lw=0.9
        )
    )
    centred = not mono
    title_y = y + height - 0.27 if lines else y + height / 2
    axes.text(
        x + (width / 2 if centred else 0.15),
        title_y,
        title,
        fontsize=10,
        weight='bold',
        color=INK,
        ha='center' if centred else 'left',
        va='center',
    )
    if lines:
        axes.text(
            x + (width / 2 if centred else 0.15),
            y + (height - 0.42) / 2,
            lines,
            fontsize=size,
            color=INK,
            ha='center' if centred else 'left',
            va='center',
            linespacing=1.45,
            family='monospace' if mono else None,
        )


def arrow(axes, start, end, text='', offset=(0, 0.14), bend=0.0):
    """An arrow with a small label at its middle."""
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle='-|>',
            mutation_scale=12,
            color=INK,
            lw=1.1,
            connectionstyle=f'arc3,rad={bend}',
            shrinkA=0,
            shrinkB=0,
        )
    )
    if text:
        x, y = (start[0] + end[0]) / 2 + offset[0], (start[1] + end[1]) / 2 + offset[1]
        axes.text(x, y, text, fontsize=8.5, color=INK, ha='center', va='center', style='italic')


def draw() -> Figure:
    """The picture: files through entries to results, named by a config, run by a tool."""
    figure = Figure(figsize=(9.6, 5.3), facecolor='white')
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 12), ylim=(0, 6.6))
    axes.set_axis_off()

    box(axes, 0.3, 3.75, 4.3, 2.6, 'config', CONFIG, SAND, mono=True, size=7.6)
    box(
        axes,
        6.0,
        4.75,
        2.9,
        1.2,
        'registries',
        'find an entry by its name,\nimport it when asked for',
    )
    box(axes, 10.0, 4.75, 1.7, 1.2, 'runner', 'train.py\ntest.py')
    arrow(axes, (4.6, 5.35), (6.0, 5.35), 'names')
    arrow(axes, (8.9, 5.35), (10.0, 5.35), 'build')

    steps = [
        ('dataset', 'files, labels,\nnamed bands', BLUE),
        ('pipeline', 'load, augment;\n13 bands, 16 bit', BLUE),
        ('preprocessor', 'normalise\non the device', GREEN),
        ('model', 'backbone, head,\nloss or prediction', GREEN),
        ('evaluator', 'metrics,\nmaps, tables', GREEN),
    ]
    width, gap, y = 1.95, 0.4, 1.35
    for number, (title, lines, color) in enumerate(steps):
        x = 0.3 + number * (width + gap)
        box(axes, x, y, width, 1.35, title, lines, color)
        if number:
            arrow(axes, (x - gap, y + 0.675), (x, y + 0.675))
    brace = y + 1.35
    axes.plot(
        [0.3, 0.3, 11.65, 11.65],
        [brace + 0.12, brace + 0.3, brace + 0.3, brace + 0.12],
        color=INK,
        lw=0.9,
    )
    arrow(
        axes, (7.45, 4.75), (7.45, brace + 0.3), 'entries of rsmm, mmpretrain, mmseg, ...', (0, 0)
    )
    axes.texts[-1].set(bbox=dict(facecolor='white', edgecolor='none', pad=2))
    arrow(axes, (10.85, 4.75), (10.85, brace + 0.3), 'runs', (0.35, 0))

    box(axes, 0.3, 0.25, 4.3, 0.62, 'real archives, or ToyEarth in their layout')
    arrow(axes, (1.275, 0.87), (1.275, y))
    box(axes, 5.0, 0.25, 6.65, 0.62, 'work folder: log, exact checkpoints, predictions, pictures')
    arrow(axes, (8.3, y), (8.3, 0.87))
    arrow(axes, (10.68, y), (10.68, 0.87))
    return figure


if __name__ == '__main__':
    out = Path(__file__).with_suffix('.svg')
    draw().savefig(out, metadata={'Date': None})
    print(out)
