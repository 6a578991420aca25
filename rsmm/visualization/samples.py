"""Pictures of single predictions."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure
from torch import Tensor

from rsmm.errors import ConfigError
from rsmm.visualization.browse import bands_of
from rsmm.visualization.composite import composite
from rsmm.visualization.style import RIGHT, WRONG, PlainFigure


def draw_sample(image: Tensor, sample, metainfo: Mapping) -> Figure:
    """Draw an image with its truth and its prediction, green where they agree.

    Args:
        image: Input of the model before normalisation, ``(C, H, W)``; for maps also a pair or a
            series, see :func:`rsmm.visualization.dense.draw_dense_sample`.
        sample: Data sample with ``pred_label`` or ``pred_sem_seg`` and, if known, the truth.
        metainfo: Of the dataset: ``classes`` and ``bands``.

    Raises:
        ConfigError: The sample holds no prediction that can be drawn.
    """
    if 'pred_sem_seg' in sample:
        from rsmm.visualization.dense import draw_dense_sample

        return draw_dense_sample(image, sample, metainfo)
    if 'pred_label' not in sample:
        raise ConfigError(
            f'samples with {", ".join(sample.keys())} cannot be drawn', where='VisualizationHook'
        )
    names = metainfo['classes']
    predicted = names[int(sample.pred_label)]
    score = float(sample.pred_score[int(sample.pred_label)]) if 'pred_score' in sample else None
    title = predicted if score is None else f'{predicted} {score:.0%}'
    colour = 'black'
    if 'gt_label' in sample:
        truth = names[int(sample.gt_label)]
        colour = RIGHT if truth == predicted else WRONG
        if truth != predicted:
            title = f'{title}\n(is {truth})'
    figure = PlainFigure(figsize=(2.2, 2.5), dpi=100)
    axes = figure.add_axes((0.02, 0.02, 0.96, 0.8))
    bands = bands_of(dict(inputs=image, data_samples=sample), metainfo)
    axes.imshow(composite(image.permute(1, 2, 0).numpy(), bands), interpolation='nearest')
    axes.set_axis_off()
    figure.text(0.5, 0.985, title, color=colour, size=8, ha='center', va='top')
    return figure
