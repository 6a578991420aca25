"""Features of images in the plane."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from rsmm.errors import ConfigError
from rsmm.visualization.style import INK, MUTED, category, new_figure, tidy

METHODS = ('tsne', 'pca')


def project(
    features: np.ndarray, method: str = 'tsne', seed: int = 0, perplexity: float = 30.0
) -> np.ndarray:
    """Project features to the plane.

    Args:
        features: ``(N, D)``; scaled to unit length first, as cosine similarity compares them.
        method: ``'tsne'`` (van der Maaten and Hinton, JMLR 2008; started from the first principal
            components) or ``'pca'``.
        seed: Seed of t-SNE.
        perplexity: Effective number of neighbours of t-SNE; lowered for fewer samples.

    Returns:
        ``(N, 2)``.

    Raises:
        ConfigError: Unknown method, or fewer than three samples.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if method not in METHODS:
        raise ConfigError(f'unknown method {method!r}', fix=f'Choose from {", ".join(METHODS)}')
    if len(features) < 3:
        raise ConfigError(f'a map needs at least 3 samples, got {len(features)}')
    features = np.asarray(features, np.float64)
    length = np.linalg.norm(features, axis=1, keepdims=True)
    features = features / np.maximum(length, 1e-12)
    if method == 'pca':
        return PCA(2, random_state=seed).fit_transform(features)
    reduced = PCA(min(50, *features.shape), random_state=seed).fit_transform(features)
    perplexity = min(perplexity, (len(features) - 1) / 3)
    return TSNE(perplexity=perplexity, init='pca', random_state=seed).fit_transform(reduced)


def draw_embedding(
    points: np.ndarray, labels: np.ndarray, classes: Sequence[str], title: str = ''
) -> Figure:
    """Draw points in the colours of their classes.

    Args:
        points: ``(N, 2)``.
        labels: Class of each point, ``(N,)``.
        classes: Class names.
        title: Written above.
    """
    figure = new_figure(8.5, 6.5)
    axes = figure.add_subplot()
    size = float(np.clip(9_000 / max(len(points), 1), 4, 40))
    for label in np.unique(labels):
        members = points[labels == label]
        colour, marker = category(int(label))
        axes.scatter(
            members[:, 0], members[:, 1], s=size, c=colour, marker=marker,
            alpha=0.75, linewidths=0, label=f'{classes[label]} ({len(members)})',
        )  # fmt: skip
    tidy(axes, grid=False)
    # Axes of such maps have no unit.
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, size=10, color=INK, loc='left')
    legend = figure.legend(
        loc='outside right center', frameon=False, fontsize=8, markerscale=max(1, 4 / size**0.5)
    )
    for text in legend.get_texts():
        text.set_color(MUTED)
    return figure
