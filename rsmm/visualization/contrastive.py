"""Figures of the contrastive family: views, band groups and texture, change ratios, neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from rsmm.models.selfsup.change_flags import fit_mixture
from rsmm.models.selfsup.saco import BandGrouper
from rsmm.utils import atomic_write
from rsmm.visualization.style import new_figure, tidy


def _save(figure: Figure, out: str | Path) -> None:
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(out) as file:
        figure.savefig(file, format='png')


def _display(image: Tensor) -> np.ndarray:
    """Three bands (3, H, W) stretched to their 2 % and 98 % quantiles, for the eye only."""
    planes = image.float().flatten(1)
    low, high = planes.quantile(0.02, dim=1), planes.quantile(0.98, dim=1)
    scaled = (image - low[:, None, None]) / (high - low).clamp(min=1e-6)[:, None, None]
    return scaled.clamp(0, 1).permute(1, 2, 0).cpu().numpy()


def plot_views(rows: Sequence[Sequence[Tensor]], names: Sequence[str], out: str | Path) -> None:
    """Draw samples as rows and their views as columns.

    Args:
        rows: Per sample its views, each ``(3, H, W)``; a sample's views share one stretch, so that
            changes of colour are seen.
        names: What each view is.
        out: PNG to write.
    """
    figure = new_figure(2.1 * len(names), 1.9 * len(rows) + 0.3)
    axes = figure.subplots(len(rows), len(names), squeeze=False)
    for row, views in zip(axes, rows, strict=True):
        joined = _display(torch.cat([view.float() for view in views], dim=2))
        shown = np.split(joined, np.cumsum([view.shape[2] for view in views])[:-1], axis=1)
        for axis, image in zip(row, shown, strict=True):
            axis.imshow(image)
            axis.axis('off')
    for axis, name in zip(axes[0], names, strict=True):
        axis.set_title(name, fontsize=7)
    _save(figure, out)


def plot_groups(image: Tensor, grouper: BandGrouper, out: str | Path) -> None:
    """Draw the groups of an image as SACo+ feeds them.

    Args:
        image: ``(C, H, W)`` in [0, 1].
        grouper: Groups, with texture or without.
        out: PNG to write.
    """
    names = [*grouper.groups, *grouper.texture_groups]
    columns = 4
    rows = -(-len(names) // columns)
    figure = new_figure(2.4 * columns, 2.6 * rows)
    axes = figure.subplots(rows, columns, squeeze=False)
    groups = grouper(image[None])[:, 0]
    for axis in axes.flat:
        axis.axis('off')
    for axis, name, group in zip(axes.flat, names, groups, strict=False):
        axis.imshow(_display(group))
        axis.set_title(' '.join(name), fontsize=7)
    _save(figure, out)


def plot_ratios(ratios: np.ndarray, out: str | Path, truth: np.ndarray | None = None) -> None:
    """Draw CACo's change ratios with the mixture that splits them.

    Args:
        ratios: Running ratio per image ``(n,)``.
        out: PNG to write.
        truth: Whether each image's place changed ``(n,)``, where known.
    """
    figure = new_figure(5, 3)
    axis = figure.subplots()
    tidy(axis)
    edges = np.linspace(ratios.min(), np.quantile(ratios, 0.995), 40)
    parts = {'all': ratios}
    if truth is not None:
        parts = {'unchanged': ratios[~truth], 'changed': ratios[truth]}
    axis.hist(list(parts.values()), edges.tolist(), label=list(parts), stacked=True, alpha=0.75)
    mixture = fit_mixture(ratios)
    if mixture is not None:
        x = np.linspace(edges[0], edges[-1], 300)
        scale = len(ratios) * (edges[1] - edges[0])
        for mean, std, weight in zip(mixture.means, mixture.stds, mixture.weights, strict=True):
            density = np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * np.sqrt(2 * np.pi))
            axis.plot(x, scale * weight * density, color='black', lw=1)
    axis.set(xlabel='long-term / short-term distance', ylabel='images')
    axis.legend(frameon=False)
    _save(figure, out)


def plot_neighbours(
    images: Sequence[Tensor],
    features: dict[str, Tensor],
    out: str | Path,
    queries: Sequence[int] = (0, 1, 2, 3),
    k: int = 6,
) -> None:
    """Draw queries and their nearest neighbours under several encoders, one block each.

    Args:
        images: Three-band images ``(3, H, W)``.
        features: Features ``(N, D)`` per encoder, e.g. before and after pretraining.
        out: PNG to write.
        queries: Positions of the queries.
        k: Neighbours to show.
    """
    rows = len(queries) * len(features)
    figure = new_figure(1.2 * (k + 1), 1.25 * rows)
    axes = figure.subplots(rows, k + 1, squeeze=False)
    for block, (name, vectors) in enumerate(features.items()):
        unit = F.normalize(vectors.float(), dim=1)
        for i, query in enumerate(queries):
            similarity = unit @ unit[query]
            similarity[query] = torch.inf
            row = axes[block * len(queries) + i]
            for axis, position in zip(row, similarity.topk(k + 1).indices, strict=True):
                axis.imshow(_display(images[int(position)]))
                axis.set(xticks=[], yticks=[])
            row[0].set_ylabel(name, fontsize=7)
    _save(figure, out)
