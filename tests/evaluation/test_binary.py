"""Two-class scores against scikit-learn, baselines, intervals; two processes give what one does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from rsmm.errors import ConfigError, DataError
from rsmm.evaluation.functional import (
    binary_auroc,
    binary_report,
    binary_scores,
    majority_scores,
)
from rsmm.evaluation.metrics.binary import BinaryReport
from tests.processes import run_processes


def case(seed: int, size: int = 60, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, size)
    scores = np.clip(0.25 * truth + rng.random(size) * 0.75, 0, 1)
    return truth, scores.round(1) if ties else scores


@pytest.mark.parametrize('ties', [False, True])
@pytest.mark.parametrize('seed', range(5))
def test_agrees_with_scikit_learn(seed: int, ties: bool) -> None:
    truth, scores = case(seed, ties=ties)
    accuracy, f1, auroc = binary_scores(truth, scores)
    predicted = scores > 0.5
    assert accuracy == pytest.approx(accuracy_score(truth, predicted))
    assert f1 == pytest.approx(f1_score(truth, predicted, average='macro'))
    assert auroc == pytest.approx(roc_auc_score(truth, scores))


@pytest.mark.parametrize('truth', [[0] * 30 + [1] * 36, [1, 1, 1], [0, 1, 0]])
def test_majority_is_the_best_constant(truth: list[int]) -> None:
    from sklearn.dummy import DummyClassifier

    constant = DummyClassifier(strategy='most_frequent').fit(truth, truth).predict(truth)
    accuracy, f1 = majority_scores(np.array(truth))
    assert accuracy == pytest.approx(accuracy_score(truth, constant))
    assert f1 == pytest.approx(f1_score(truth, constant, average='macro'))


def test_constant_of_the_published_test_set() -> None:
    """30 low and 36 high tiles: the study's 0.41 and 0.29 lie below this."""
    truth = np.array([0] * 30 + [1] * 36)
    report = binary_report(truth, np.full(66, 0.9))
    assert report['accuracy'] == report['majority'] == pytest.approx(54.545, abs=1e-3)
    assert report['auroc'] == report['auroc_low'] == report['auroc_high'] == 50
    assert report['accuracy_low'] < 54.5 < report['accuracy_high']


def test_invariants() -> None:
    truth, scores = case(0)
    auroc = binary_auroc(truth, scores)
    assert binary_auroc(truth, np.exp(5 * scores)) == pytest.approx(auroc)
    assert binary_auroc(1 - truth, scores) == pytest.approx(1 - auroc)
    order = np.random.default_rng(1).permutation(len(truth))
    np.testing.assert_allclose(
        binary_scores(truth[order], scores[order]), binary_scores(truth, scores)
    )
    assert binary_report(truth, truth.astype(float), resamples=50)['macro_f1_low'] == 100


def test_one_class_has_no_auroc() -> None:
    assert np.isnan(binary_auroc(np.zeros(4), np.arange(4)))
    report = binary_report(np.zeros(4, int), np.linspace(0, 1, 4), ['a', 'a', 'b', 'b'])
    assert not any(name.startswith('auroc') for name in report)
    assert report['accuracy/a'] == 100
    assert report['accuracy/b'] == 0


def test_groups_are_scored_by_themselves() -> None:
    truth, scores = case(3)
    groups = np.array(['x', 'y', 'y'] * 20)
    report = binary_report(truth, scores, groups, resamples=0)
    rows = groups == 'y'
    assert report['auroc/y'] == pytest.approx(100 * roc_auc_score(truth[rows], scores[rows]))
    assert report['majority/x'] == pytest.approx(
        100 * max(truth[~rows].mean(), 1 - truth[~rows].mean())
    )
    shares = [rows.mean(), 1 - rows.mean()]
    mean = shares[0] * report['accuracy/y'] + shares[1] * report['accuracy/x']
    assert mean == pytest.approx(report['accuracy'])
    assert not any(name.endswith('_low') for name in report)


def test_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Accuracy is binomial with p = 0.7: about 95 of 100 intervals of 95 % cover it."""
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(100):
        truth = rng.integers(0, 2, 100)
        right = rng.random(100) < 0.7
        report = binary_report(
            truth, np.where(right, truth, 1 - truth).astype(float), resamples=200, seed=seed
        )
        covered += report['accuracy_low'] <= 70 <= report['accuracy_high']
    assert 88 <= covered <= 99


def test_drawing_groups_widens_the_interval() -> None:
    """Groups that are right or wrong as a whole say less than their samples."""
    truth = np.tile([0, 1], 60)
    groups = np.repeat([f'g{k}' for k in range(12)], 10)
    right = np.repeat([True, False] * 6, 10)
    scores = np.where(right, truth, 1 - truth).astype(float)

    def width(**kwargs) -> float:
        report = binary_report(truth, scores, groups, **kwargs)
        return report['accuracy_high'] - report['accuracy_low']

    assert width(by_group=True) > 2 * width()


@pytest.mark.parametrize(
    ('truth', 'scores', 'groups', 'error'),
    [
        ([], [], None, DataError),
        ([0, 1], [0.5], None, DataError),
        ([0, 1], [0.5, 0.5], ['a'], DataError),
        ([0, 2], [0.5, 0.5], None, DataError),
        ([0, 1], [0.5, float('nan')], None, DataError),
    ],
)
def test_bad_input(truth, scores, groups, error) -> None:
    with pytest.raises(error):
        binary_report(np.array(truth), np.array(scores), groups)


@pytest.mark.parametrize('bad', [{'resamples': -1}, {'level': 1.0}, {'by_group': True}])
def test_bad_settings(bad: dict) -> None:
    with pytest.raises(ConfigError):
        binary_report(np.array([0, 1]), np.array([0.2, 0.7]), **bad)


def evaluate(world_size: int) -> dict[str, float]:
    """Metrics of 21 samples dealt to the processes in turn, as a sampler deals them."""
    from mmengine.dist import get_rank

    metric = BinaryReport(group='city', resamples=100, prefix='crime')
    truth, scores = case(4, size=21)
    # A sampler pads the last round with the first samples, which the metric cuts off again.
    padded = [*range(21), *range(-21 % world_size)]
    for k in padded[get_rank() :: world_size]:
        score = torch.tensor([1 - scores[k], scores[k]])
        sample = dict(
            img_path=f'{k:02}.tif',
            gt_label=torch.tensor([truth[k]]),
            pred_score=score,
            city='ab'[k % 2],
        )
        metric.process({}, [sample])
    return metric.evaluate(21)


@pytest.mark.distributed
def test_two_processes_give_the_same_values(tmp_path: Path) -> None:
    alone = evaluate(1)
    assert {'crime/accuracy', 'crime/auroc_low', 'crime/majority', 'crime/auroc/a'} <= set(alone)
    assert alone['crime/samples'] == 21
    both = run_processes(evaluate, 2, tmp_path, 2)
    assert both[0] == both[1] == alone
