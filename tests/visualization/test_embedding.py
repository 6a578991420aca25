"""Maps of features."""

from __future__ import annotations

import numpy as np
import pytest

from rsmm.errors import ConfigError
from rsmm.visualization.embedding import METHODS, draw_embedding, project


@pytest.fixture(scope='module')
def clusters():
    """Three tight directions in 16 dimensions, of different lengths."""
    rng = np.random.default_rng(0)
    centres = np.eye(16)[:3]
    labels = np.repeat(np.arange(3), 20)
    vectors = centres[labels] + 0.05 * rng.normal(size=(60, 16))
    return vectors * rng.uniform(0.5, 20, (60, 1)), labels


@pytest.mark.parametrize('method', METHODS)
def test_clusters_stay_apart(clusters, method):
    from sklearn.neighbors import KNeighborsClassifier

    vectors, labels = clusters
    points = project(vectors, method, seed=1)
    assert points.shape == (60, 2)
    assert (
        KNeighborsClassifier(3).fit(points[::2], labels[::2]).score(points[1::2], labels[1::2]) == 1
    )
    np.testing.assert_array_equal(points, project(vectors, method, seed=1))


@pytest.mark.parametrize('method', METHODS)
def test_few_samples(method):
    points = project(np.random.default_rng(0).normal(size=(4, 8)), method)
    assert np.isfinite(points).all()


def test_refusals(clusters):
    with pytest.raises(ConfigError, match='unknown method'):
        project(clusters[0], 'umap')
    with pytest.raises(ConfigError, match='at least 3 samples'):
        project(clusters[0][:2])


def test_figure_names_classes_with_counts(clusters):
    vectors, labels = clusters
    figure = draw_embedding(vectors[:, :2], labels, ('a', 'b', 'c'), 'title')
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ['a (20)', 'b (20)', 'c (20)']
    assert len(figure.axes[0].collections) == 3


def test_many_classes_differ_in_colour_or_marker():
    from rsmm.visualization.style import category

    assert len({category(k) for k in range(43)}) == 43
