"""Whether clusters of features are classes: purity, mutual information, pair agreement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rsmm.errors import DataError

if TYPE_CHECKING:
    from sklearn.cluster import KMeans


def cluster_purity(labels: Sequence | np.ndarray, clusters: Sequence | np.ndarray) -> float:
    """Share of samples that bear the commonest label of their cluster.

    Args:
        labels: True class per sample ``(N,)``, numbers or names.
        clusters: Cluster per sample ``(N,)``.

    Returns:
        ``(1/N) sum_c max_y n_cy``, from the share of the largest class to 1.

    Raises:
        DataError: Their lengths differ, or there are no samples.
    """
    counts = contingency(labels, clusters)
    return float(counts.max(axis=0).sum() / counts.sum())


def contingency(labels: Sequence | np.ndarray, clusters: Sequence | np.ndarray) -> np.ndarray:
    """Count samples by class and cluster, ``(classes, clusters)`` int64.

    Raises:
        DataError: Their lengths differ, or there are no samples.
    """
    labels, clusters = (np.asarray(part).ravel() for part in (labels, clusters))
    if len(labels) != len(clusters) or not len(labels):
        raise DataError(
            f'{len(labels)} labels and {len(clusters)} clusters', where='cluster_purity'
        )
    classes, rows = np.unique(labels, return_inverse=True)
    groups, columns = np.unique(clusters, return_inverse=True)
    counts = np.zeros((len(classes), len(groups)), np.int64)
    np.add.at(counts, (rows, columns), 1)
    return counts


def kmeans_scores(
    features: np.ndarray, labels: Sequence | np.ndarray, k: int, seed: int = 42
) -> dict[str, float]:
    """Cluster features and compare the clusters with the classes.

    Args:
        features: ``(N, D)``.
        labels: Class per sample ``(N,)``.
        k: Clusters, see :func:`fit_kmeans`.
        seed: Of the starts.

    Returns:
        ``purity``, ``nmi`` (normalised mutual information) and ``ari`` (adjusted Rand index).

    Raises:
        DataError: More clusters than samples, or values that are not finite.
    """
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    clusters = fit_kmeans(features, k, seed).labels_
    return {
        'purity': cluster_purity(labels, clusters),
        'nmi': float(normalized_mutual_info_score(labels, clusters)),
        'ari': float(adjusted_rand_score(labels, clusters)),
    }


def fit_kmeans(features: np.ndarray, k: int, seed: int = 42) -> KMeans:
    """Cluster features by k-means as in the published protocol.

    k-means++ with 10 restarts, at most 300 iterations, tolerance 1e-4, on the features as they are.

    Args:
        features: ``(N, D)``.
        k: Clusters.
        seed: Of the starts.

    Returns:
        scikit-learn's model with ``labels_`` and ``cluster_centers_``.

    Raises:
        DataError: More clusters than samples, or values that are not finite.
    """
    from sklearn.cluster import KMeans

    if not 1 <= k <= len(features):
        raise DataError(f'{k} clusters of {len(features)} samples', fix='Choose a smaller k')
    if not np.isfinite(features).all():
        raise DataError('features hold NaN or infinity', fix='Look at the run that made them')
    model = KMeans(k, init='k-means++', n_init=10, max_iter=300, tol=1e-4, random_state=seed)
    return model.fit(np.asarray(features))


def purity_table(
    features: np.ndarray,
    labels: Sequence | np.ndarray,
    ks: Sequence[int],
    seeds: Sequence[int],
) -> list[dict[str, float]]:
    """Scores for each number of clusters, mean and deviation over seeds (N - 1; 0 for one seed).

    Returns:
        A row per ``k``: ``k``, and ``purity, purity_std, nmi, nmi_std, ari, ari_std``.
    """
    rows = []
    for k in ks:
        scores = [kmeans_scores(features, labels, k, seed) for seed in seeds]
        row: dict[str, float] = {'k': k}
        for name in scores[0]:
            values = np.array([score[name] for score in scores])
            row[name] = float(values.mean())
            row[f'{name}_std'] = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        rows.append(row)
    return rows
