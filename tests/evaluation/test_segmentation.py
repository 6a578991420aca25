"""Confusion matrices and scores of class maps: golden values, scikit-learn, edge cases."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, jaccard_score
from sklearn.metrics import confusion_matrix as sklearn_matrix

from rsmm.errors import ConfigError, DataError
from rsmm.evaluation.functional import confusion_matrix, seg_scores
from rsmm.registry import METRICS
from tests.processes import run_processes

TARGET = np.repeat([1, 1, 2, 2], 4).reshape(4, 4)
TARGET[3, 3] = 19
PRED = np.repeat([1, 1, 2, 2], 4).reshape(4, 4)
PRED[0, 0] = 3


def test_golden_values() -> None:
    scores = seg_scores(confusion_matrix(PRED, TARGET, 20, ignore=(0, 19)))
    assert scores['oa'] == pytest.approx(14 / 15)
    assert scores['miou'] == pytest.approx(0.625)
    assert scores['iou'][[1, 2, 3]] == pytest.approx([0.875, 1, 0])
    assert np.isnan(scores['iou'][[0, 4, 19]]).all()


def test_void_and_background_may_be_ignored_later() -> None:
    full = confusion_matrix(PRED, TARGET, 20)
    early = seg_scores(confusion_matrix(PRED, TARGET, 20, ignore=19), include_background=False)
    late = seg_scores(full, ignore=(19,), include_background=False)
    for key in early:
        np.testing.assert_allclose(early[key], late[key])


def test_reference_formula_of_the_saco_release() -> None:
    # Per image, classes 1..18, absent ones count zero, the void pixel counts for class 2.
    iou = seg_scores(confusion_matrix(PRED, TARGET, 20), absent='zero')['iou']
    assert iou[1:19].mean() == pytest.approx(0.097222, abs=1e-6)


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('classes', [2, 7])
def test_equals_scikit_learn(seed: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    target, pred = rng.integers(0, classes, (2, 3, 13, 11)).astype(np.uint8)
    matrix = confusion_matrix(pred, torch.from_numpy(target), classes)
    truth, found = target.ravel(), pred.ravel()
    labels = range(classes)
    np.testing.assert_array_equal(matrix, sklearn_matrix(truth, found, labels=labels))
    scores = seg_scores(matrix)
    assert scores['oa'] == pytest.approx(accuracy_score(truth, found))
    np.testing.assert_allclose(
        scores['iou'], jaccard_score(truth, found, average=None, labels=labels)
    )
    assert scores['mf1'] == pytest.approx(f1_score(truth, found, average='macro'))


def test_class_absent_everywhere() -> None:
    matrix = np.diag([4, 2, 0])
    assert seg_scores(matrix)['miou'] == 1
    assert seg_scores(matrix, absent='zero')['miou'] == pytest.approx(2 / 3)
    assert seg_scores(matrix, absent='one')['miou'] == 1
    # Predicted but never true: an error, not an absence.
    assert seg_scores([[3, 0, 1], [0, 2, 0], [0, 0, 0]])['iou'][2] == 0


def test_nothing_counts() -> None:
    scores = seg_scores(confusion_matrix(np.zeros(5, int), np.full(5, 255), 3, ignore=255))
    assert (scores['oa'], scores['miou'], scores['macc']) == (0, 0, 0)


def test_uint8_does_not_overflow() -> None:
    target = np.full(3, 199, np.uint8)
    assert confusion_matrix(target, target, 200)[199, 199] == 3


@pytest.mark.parametrize(
    ('pred', 'target', 'message'),
    [
        ([0, 1], [0, 7], 'target holds 7'),
        ([0, 9], [0, 1], 'prediction holds 9'),
        ([0, -1], [0, 1], 'prediction holds -1'),
        ([0.0, 0.5], [0, 1], 'prediction holds 0.5'),
        ([0.0, np.nan], [0, 1], 'prediction holds nan'),
        ([0], [0, 1], 'shape'),
    ],
)
def test_bad_labels_are_named(pred: list, target: list, message: str) -> None:
    with pytest.raises(DataError, match=message):
        confusion_matrix(np.array(pred), np.array(target), 3)


@pytest.mark.parametrize('ignore', [1, (1,), {1}, np.array([1]), (1, 255), (1, -1)])
def test_ignored_classes_in_any_form(ignore) -> None:
    matrix = np.array([[5, 1, 0], [2, 3, 0], [0, 1, 4]])
    found = seg_scores(matrix, ignore=ignore)
    assert found['oa'] == pytest.approx(9 / 11)
    assert np.isnan(found['iou']).tolist() == [False, True, False]
    full = confusion_matrix([0, 1, 2], [0, 1, 2], 3, ignore=ignore)
    assert full.diagonal().tolist() == [1, 0, 1]


def test_labels_outside_the_matrix_change_nothing() -> None:
    matrix = np.diag([4, 2, 1])
    for ignore in (None, (), 255, (255, -1)):
        assert seg_scores(matrix, ignore=ignore)['iou'].tolist() == [1, 1, 1]
    assert seg_scores(matrix, include_background=False, background=7)['oa'] == 1


def test_bad_settings() -> None:
    with pytest.raises(ConfigError, match='absent'):
        seg_scores(np.eye(2), absent='maybe')
    with pytest.raises(DataError, match='square'):
        seg_scores(np.ones((2, 3)))


def evaluate() -> dict:
    import torch.distributed as dist

    rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    rng = np.random.default_rng(0)
    data = torch.from_numpy(rng.integers(0, 4, (5, 2, 1, 6, 6)))
    metric = METRICS.build(dict(type='SegMetric', void=(3,), per_class=True))
    metric.dataset_meta = {'classes': ('a', 'b', 'c', 'void')}
    for k in range(rank, 5 + (-5 % world), world):
        sample = {
            'pred_sem_seg': {'data': data[k % 5, 0]},
            'gt_sem_seg': {'data': data[k % 5, 1]},
        }
        metric.process({}, [sample])
    return metric.evaluate(size=5)


def test_metric_uses_one_matrix() -> None:
    found = evaluate()
    rng = np.random.default_rng(0)
    data = rng.integers(0, 4, (5, 2, 1, 6, 6))
    expected = seg_scores(confusion_matrix(data[:, 0], data[:, 1], 4), ignore=(3,))
    assert found['seg/miou'] == pytest.approx(100 * expected['miou'])
    assert found['seg/oa'] == pytest.approx(100 * expected['oa'])
    assert found['seg/iou/b'] == pytest.approx(100 * expected['iou'][1])
    assert 'seg/iou/void' not in found


@pytest.mark.distributed
def test_two_processes_equal_one(tmp_path) -> None:
    one = evaluate()
    for other in run_processes(evaluate, 2, tmp_path):
        assert other == pytest.approx(one)
