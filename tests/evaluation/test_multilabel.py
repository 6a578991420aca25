"""Multi-label metrics, balanced accuracy and calibration."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample
from sklearn.metrics import balanced_accuracy_score, f1_score

from rsmm.errors import ConfigError, DataError
from rsmm.evaluation.functional.calibration import confidence_and_hits, reliability
from rsmm.evaluation.functional.classification import balanced_accuracy
from rsmm.evaluation.functional.multilabel import multilabel_average_precision, multilabel_f1
from rsmm.registry import METRICS

LABELS = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1], [1, 0, 1]])
LOGITS = np.array(
    [[2, -1, -2], [-0.5, 0.4, -1], [0.3, -0.2, 0.1], [0.6, -3, 1.2], [-0.1, 0.7, 0.2]]
)
SCORES = 1 / (1 + np.exp(-LOGITS))


def test_figures_of_the_specification():
    assert multilabel_average_precision(LABELS, SCORES, 'macro') == pytest.approx(
        0.796296, abs=1e-6
    )
    assert multilabel_average_precision(LABELS, SCORES, 'micro') == pytest.approx(
        0.763946, abs=1e-6
    )
    for on, macro, micro in (('probability', 0.655556, 0.666667), ('logit', 0.355556, 0.363636)):
        for average, expected in (('macro', macro), ('micro', micro)):
            found = multilabel_f1(LABELS, SCORES, average, threshold_on=on)
            assert found == pytest.approx(expected, abs=1e-6)


def test_average_precision_knows_rank_only():
    for average in ('macro', 'micro'):
        found = multilabel_average_precision(LABELS, LOGITS, average)
        assert found == pytest.approx(multilabel_average_precision(LABELS, SCORES, average))


@pytest.mark.parametrize('average', ['macro', 'micro'])
@pytest.mark.parametrize('metric', [multilabel_f1, multilabel_average_precision])
def test_unknown_entries_are_left_out(metric, average):
    """An unknown entry changes nothing, whatever its score."""
    labels = np.vstack([LABELS, [-1, -1, -1]])
    found = [
        metric(labels, np.vstack([SCORES, row]), average) for row in ([0.9, 0.1, 0.5], [0, 1, 0])
    ]
    assert found == pytest.approx([metric(LABELS, SCORES, average)] * 2)


def test_f1_is_sklearns():
    draw = np.random.default_rng(0)
    labels, scores = draw.integers(0, 2, (40, 5)), draw.random((40, 5))
    for average in ('macro', 'micro'):
        expected = f1_score(labels, scores > 0.5, average=average)
        assert multilabel_f1(labels, scores, average) == pytest.approx(expected)


def test_class_without_truth_and_prediction_does_not_count():
    labels, scores = np.array([[1, 0], [1, 0]]), np.array([[0.9, 0.1], [0.8, 0.2]])
    assert multilabel_f1(labels, scores, 'macro') == 1


@pytest.mark.parametrize(
    ('labels', 'scores', 'error'),
    [
        (LABELS[0], SCORES[0], DataError),
        (LABELS, SCORES[:, :2], DataError),
        (LABELS, SCORES * np.nan, DataError),
        (LABELS * 0, SCORES * 0, DataError),
    ],
)
def test_refused(labels, scores, error):
    with pytest.raises(error):
        multilabel_f1(labels, scores)


def test_unknown_settings():
    with pytest.raises(ConfigError, match='average'):
        multilabel_f1(LABELS, SCORES, 'weighted')
    with pytest.raises(ConfigError, match='threshold_on'):
        multilabel_f1(LABELS, SCORES, threshold_on='score')
    with pytest.raises(ConfigError, match='average'):
        METRICS.build(dict(type='MultiLabelF1', average=('weighted',)))


def test_balanced_accuracy_is_sklearns():
    draw = np.random.default_rng(0)
    truth, predicted = draw.integers(0, 4, 60) % 3, draw.integers(0, 4, 60)
    with pytest.warns(UserWarning, match='y_pred contains classes not in y_true'):
        expected = balanced_accuracy_score(truth, predicted)
    assert balanced_accuracy(truth, predicted) == pytest.approx(expected)
    with pytest.raises(DataError):
        balanced_accuracy(truth, predicted[:3])


class TestCalibration:
    def test_two_bins(self):
        table = reliability(np.array([0.6, 0.8, 0.9, 0.2]), np.array([1, 0, 1, 0]), bins=2)
        assert table.count.tolist() == [1, 3]
        assert table.confidence == pytest.approx([0.2, 2.3 / 3])
        assert table.accuracy == pytest.approx([0, 2 / 3])
        assert table.error == pytest.approx((0.2 + 3 * 0.1) / 4)

    def test_right_as_often_as_sure(self):
        confidence = np.repeat([0.25, 0.75], 8)
        right = np.array([1, 0, 0, 0] * 2 + [1, 1, 1, 0] * 2)
        assert reliability(confidence, right, 4).error == pytest.approx(0)

    def test_limits(self):
        table = reliability(np.array([0.0, 0.5, 1.0]), np.array([0, 1, 1]), bins=2)
        assert table.count.tolist() == [2, 1], 'the upper limit belongs to a bin'
        assert np.isnan(reliability(np.array([1.0]), np.array([1]), 2).accuracy[0])

    def test_many_labels(self):
        confidence, right = confidence_and_hits(
            np.array([[1, 0, -1]]), np.array([[0.9, 0.7, 0.3]]), multi_label=True
        )
        assert confidence.tolist() == [0.9, 0.7]
        assert right.tolist() == [True, False]

    @pytest.mark.parametrize('confidence', [[1.2], [], [0.5, 0.5]])
    def test_refused(self, confidence):
        with pytest.raises(DataError):
            reliability(np.array(confidence), np.array([1]))


def evaluate(kind: str, samples, **settings) -> dict:
    metric = METRICS.build(dict(type=kind, **settings))
    metric.process({}, [sample.to_dict() for sample in samples])
    return metric.evaluate(len(samples))


def test_evaluators_of_many_labels():
    samples = [
        DataSample().set_gt_score(torch.tensor(label)).set_pred_score(torch.tensor(score))
        for label, score in zip(LABELS.astype(float), SCORES, strict=True)
    ]
    assert evaluate('MultiLabelAP', samples)['multilabel/macro_ap'] == pytest.approx(
        79.6296, abs=1e-3
    )
    found = evaluate('MultiLabelF1', samples, average='macro', threshold_on='logit')
    assert found == {'multilabel/macro_f1': pytest.approx(35.5556, abs=1e-3)}
    found = evaluate('CalibrationError', samples, multi_label=True, bins=10)
    confidence, right = confidence_and_hits(LABELS, SCORES, multi_label=True)
    assert found['calibration/error'] == pytest.approx(
        100 * reliability(confidence, right, 10).error
    )


def test_evaluators_of_one_label():
    scores = torch.tensor([[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
    samples = [
        DataSample().set_gt_label(label).set_pred_score(score)
        for label, score in zip([0, 1, 1, 2], scores, strict=True)
    ]
    assert evaluate('BalancedAccuracy', samples) == {'accuracy/balanced': pytest.approx(250 / 3)}
    found = evaluate('CalibrationError', samples, bins=1)
    assert found['calibration/accuracy'] == 75
    assert found['calibration/error'] == pytest.approx(75 - 65, abs=1e-4)
