"""Retrieval of events against a case worked by hand, sklearn, and what must always hold."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from rsmm.errors import DataError
from rsmm.evaluation.functional import (
    event_means,
    probe_events,
    retrieval_scores,
    split_events,
)

DEGREES = np.deg2rad([0, 10, 20, 90, 100])
CIRCLE = np.column_stack([np.cos(DEGREES), np.sin(DEGREES)])
LABELS = list('abaab')


def test_worked_case():
    """Rankings by angle, hits of label a: 0 -> b a a b, 20 -> b a a b, 90 -> b a b a."""
    found = retrieval_scores(CIRCLE, LABELS, (1, 2), positive='a')
    expected = {
        'P@1': 0,
        'P@2': 1 / 2,
        'mAP': (7 / 12 + 7 / 12 + 1 / 2) / 3,
        'R-precision': 1 / 2,
        'chance': 1 / 2,
        'queries': 3,
    }
    assert found == pytest.approx(expected)
    # Of label b: 10 finds 100 last of four, 100 finds 10 third.
    found = retrieval_scores(CIRCLE, LABELS, (2,))
    assert found['P@2'] == pytest.approx(3 * 0.5 / 5)
    assert found['mAP'] == pytest.approx((7 / 12 + 7 / 12 + 1 / 2 + 1 / 4 + 1 / 3) / 5)
    assert found['R-precision'] == pytest.approx(3 * 0.5 / 5)


def test_average_precision_is_that_of_sklearn():
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(700, 3)), rng.integers(0, 4, 700)
    found = retrieval_scores(features, labels, (25,))
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    expected = []
    for query in range(700):
        others = np.arange(700) != query
        truth = labels[others] == labels[query]
        expected.append(average_precision_score(truth, unit[others] @ unit[query]))
    assert found['mAP'] == pytest.approx(np.mean(expected))
    assert found['P@25'] == pytest.approx(found['chance'], abs=0.02)  # noise finds nothing
    assert found['queries'] == 700


def test_invariants():
    rng = np.random.default_rng(1)
    features, labels = rng.normal(size=(60, 5)), rng.integers(0, 3, 60)
    found = retrieval_scores(features, labels, (5,))
    order = rng.permutation(60)
    turned = features[order] @ np.linalg.qr(rng.normal(size=(5, 5)))[0]
    scaled = turned * rng.uniform(0.1, 9, (60, 1))
    assert retrieval_scores(scaled, labels[order], (5,)) == pytest.approx(found)
    perfect = retrieval_scores(np.eye(3, 5)[labels] + 1e-3 * features, labels, (5,))
    assert perfect['P@5'] == perfect['mAP'] == perfect['R-precision'] == 1


def test_pairs_of_the_query_s_event_are_no_candidates():
    """Two pairs of one event are near each other and would find each other first."""
    features = np.array([[1, 0], [1, 0.01], [0, 1], [0.6, 0.8]])
    labels, events = ['a', 'a', 'b', 'a'], ['e1', 'e1', 'e2', 'e3']
    assert retrieval_scores(features, labels, (1,), 'a')['P@1'] == pytest.approx(2 / 3)
    found = retrieval_scores(features, labels, (1,), 'a', groups=events)
    assert found['P@1'] == pytest.approx(2 / 3)
    assert found['mAP'] == pytest.approx((1 + 1 + (1 / 2 + 2 / 3) / 2) / 3)


def test_event_means():
    features = np.array([[1.0, 0], [3, 4], [5, 5]])
    means, labels, names = event_means(features, ['y', 'x', 'y'], ['b', 'a', 'b'])
    np.testing.assert_allclose(means, [[3, 4], [3, 2.5]])
    assert (labels.tolist(), names.tolist()) == (['a', 'b'], ['x', 'y'])
    with pytest.raises(DataError, match='event y has the labels a, b'):
        event_means(features, ['y', 'x', 'y'], ['b', 'a', 'a'])


@pytest.mark.parametrize('seed', range(5))
def test_no_event_is_on_both_sides(seed):
    events = np.repeat([f'e{k}' for k in range(12)], 3)
    labels = np.repeat(list('aaaaaaaabbcc'), 3)
    test = split_events(events, labels, 0.5, seed)
    assert not set(events[test]) & set(events[~test])
    for label in 'abc':
        assert set(labels[test]) == set(labels[~test]) == set(labels), label
    assert not np.array_equal(test, split_events(events, labels, 0.5, seed + 1))
    with pytest.raises(DataError, match='one event only'):
        split_events(['e1', 'e2', 'e2'], ['a', 'b', 'b'])


def test_probes_do_not_profit_from_pairs_of_the_same_event():
    """Each event has a direction of its own and its label none: a split by pairs would score 1."""
    rng = np.random.default_rng(0)
    events = np.repeat(np.arange(60), 4)
    labels = np.where(np.arange(60) % 2, 'road', 'field')[events]
    features = rng.normal(size=(60, 40))[events] + 0.01 * rng.normal(size=(240, 40))
    blind = probe_events(features, events, labels, 'road')
    assert blind['knn_ap'] < 0.75 > blind['linear_ap']
    assert blind['chance'] == pytest.approx(0.5)
    features[labels == 'road', 0] += 9
    seen = probe_events(features, events, labels, 'road')
    assert seen['linear_ap'] > 0.95 < seen['knn_ap']
    assert seen['linear_ap_std'] >= 0
    with pytest.raises(DataError, match='0 of 240'):
        probe_events(features, events, labels, 'fire')


@pytest.mark.parametrize(
    ('change', 'match'),
    [
        (dict(positive='c'), "no sample has the label 'c'"),
        (dict(ks=(5,)), 'of 4 candidates'),
        (dict(ks=(0,)), 'of 4 candidates'),
        (dict(labels='abcde'), 'no query has another sample'),
        (dict(labels='ab'), '5 features, 2 labels'),
        (dict(features=np.full((5, 2), np.nan)), 'NaN'),
    ],
)
def test_bad_input(change, match):
    settings = {'features': CIRCLE, 'labels': LABELS, 'ks': (2,), **change}
    settings['labels'] = list(settings['labels'])
    with pytest.raises(DataError, match=match):
        retrieval_scores(**settings)
