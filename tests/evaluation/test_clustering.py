"""Purity against worked cases, and what holds for any clustering."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from rsmm.errors import DataError
from rsmm.evaluation.functional import cluster_purity, kmeans_scores, purity_table


def test_worked_cases(repo_root):
    cases = json.loads((repo_root / 'tests/data/pair_learning_golden.json').read_text())['clusters']
    for case in cases:
        labels, clusters = case['labels'], case['clusters']
        assert cluster_purity(labels, clusters) == pytest.approx(case['purity'])
        assert normalized_mutual_info_score(labels, clusters) == pytest.approx(case['nmi'])
        assert adjusted_rand_score(labels, clusters) == pytest.approx(case['ari'])


@pytest.mark.parametrize(
    ('clusters', 'purity'), [([0, 0, 1, 1, 1, 2, 2, 2], 0.75), ([0] * 8, 0.375), (range(8), 1.0)]
)
def test_published_values(clusters, purity):
    assert cluster_purity(list('aaabbbcc'), list(clusters)) == purity


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=40))
def test_invariants(pairs):
    labels, clusters = map(np.array, zip(*pairs, strict=True))
    purity = cluster_purity(labels, clusters)
    assert np.bincount(labels).max() / len(labels) <= purity <= 1
    assert cluster_purity(-labels, 7 - clusters) == purity
    finer = clusters * 2 + np.arange(len(clusters)) % 2
    assert cluster_purity(labels, finer) >= purity


def test_separate_blobs_are_found():
    rng = np.random.default_rng(0)
    labels = np.repeat(['a', 'b', 'c'], 20)
    features = rng.normal(size=(60, 4)) + 30 * np.repeat(np.eye(3, 4), 20, axis=0)
    row = purity_table(features, labels, [3], [0, 1, 2])[0]
    assert (row['purity'], row['nmi'], row['ari']) == (1, 1, 1)
    assert row['purity_std'] == 0
    assert purity_table(features, labels, [3], [0])[0]['ari_std'] == 0


def test_bad_input():
    with pytest.raises(DataError, match='2 labels and 1 clusters'):
        cluster_purity([1, 2], [1])
    with pytest.raises(DataError, match='5 clusters of 3'):
        kmeans_scores(np.zeros((3, 2)), [0, 1, 2], 5)
    with pytest.raises(DataError, match='NaN'):
        kmeans_scores(np.full((3, 2), np.nan), [0, 1, 2], 2)
