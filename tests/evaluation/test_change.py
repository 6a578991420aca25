"""Binary change scores: published golden values, scikit-learn, degenerate input, two processes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import cohen_kappa_score, jaccard_score, precision_recall_fscore_support

from rsmm.errors import DataError
from rsmm.evaluation.functional import binary_change_scores, change_counts
from rsmm.registry import METRICS
from tests.processes import run_processes

P = np.array([[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
G = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]])


def test_golden_values() -> None:
    assert change_counts(P, G).tolist() == [2, 1, 1, 8]
    scores = binary_change_scores(P, G)
    assert list(scores) == ['precision', 'recall', 'f1', 'iou', 'kappa']
    for key in ('precision', 'recall', 'f1'):
        assert scores[key] == pytest.approx(2 / 3, abs=1e-12)
    assert scores['iou'] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ('precision', 'recall', 'f1'), [(62.21, 27.57, 38.21), (53.51, 48.78, 51.04)]
)
def test_f1_is_the_harmonic_mean(precision: float, recall: float, f1: float) -> None:
    hit = 1_000_000
    false, missed = (round(hit / (value / 100) - hit) for value in (precision, recall))
    pred = np.repeat([1, 1, 0], [hit, false, missed])
    true = np.repeat([1, 0, 1], [hit, false, missed])
    assert 100 * binary_change_scores(pred, true)['f1'] == pytest.approx(f1, abs=0.005)


@pytest.mark.parametrize('seed', range(5))
def test_equals_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pred, true = rng.random((2, 3, 17, 19)) < rng.uniform(0.02, 0.9, (2, 1, 1, 1))
    scores = binary_change_scores(pred, true)
    p, t = pred.ravel(), true.ravel()
    expected = precision_recall_fscore_support(t, p, average='binary', zero_division=0)[:3]
    assert [scores[key] for key in ('precision', 'recall', 'f1')] == pytest.approx(expected)
    assert scores['iou'] == pytest.approx(jaccard_score(t, p))
    assert scores['kappa'] == pytest.approx(cohen_kappa_score(t, p))


@pytest.mark.parametrize(
    ('pred', 'true', 'expected'),
    [
        ([0, 0], [0, 0], (0, 0, 0, 0, 0)),
        ([1, 1], [1, 1], (1, 1, 1, 1, 0)),
        ([0, 0], [1, 0], (0, 0, 0, 0, 0)),
        ([1, 0], [0, 0], (0, 0, 0, 0, 0)),
        ([1, 0], [0, 1], (0, 0, 0, 0, -1)),
        ([], [], (0, 0, 0, 0, 0)),
    ],
)
def test_degenerate_maps(pred: list, true: list, expected: tuple) -> None:
    scores = binary_change_scores(np.array(pred, int), np.array(true, int))
    assert tuple(scores.values()) == pytest.approx(expected)


def test_encodings_agree() -> None:
    expected = binary_change_scores(P, G)
    assert binary_change_scores(P > 0, torch.from_numpy(G * 255).to(torch.uint8)) == expected
    assert binary_change_scores(P.astype(np.float32), G.astype(bool)) == expected


@pytest.mark.parametrize('as_mask', [False, True])
def test_ignored_pixels_do_not_count(as_mask: bool) -> None:
    padded_p, padded_g = np.pad(P, 1, constant_values=1), np.pad(G, 1, constant_values=255)
    ignore = padded_g == 255 if as_mask else 255
    assert binary_change_scores(padded_p, padded_g, ignore) == binary_change_scores(P, G)


def test_ignore_may_be_a_set_but_not_a_map_of_numbers() -> None:
    true = np.where(G == 0, 255, G)
    assert change_counts(P, true, {255}).tolist() == change_counts(P, true, 255).tolist()
    with pytest.raises(DataError, match=r'ignore is an array \(3, 4\) of uint8'):
        binary_change_scores(P, G, np.zeros((3, 4), np.uint8))


@pytest.mark.parametrize('pred', [np.zeros((3, 5)), np.full((3, 4), 0.5), np.full((3, 4), np.nan)])
def test_bad_maps_are_refused(pred: np.ndarray) -> None:
    with pytest.raises(DataError):
        binary_change_scores(pred, G)


def samples(rows: range, seed: int = 3) -> list[dict]:
    rng = np.random.default_rng(seed)
    data = torch.from_numpy(rng.choice([0, 1, 255], (7, 2, 1, 9, 11), p=[0.6, 0.3, 0.1]))
    return [
        {'pred_sem_seg': {'data': data[k, 0] % 2}, 'gt_sem_seg': {'data': data[k, 1]}} for k in rows
    ]


def evaluate(rank_of: int = 0) -> dict:
    import torch.distributed as dist

    rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    metric = METRICS.build(dict(type='ChangeMetric'))
    mine = range(rank, 7 + (-7 % world), world)
    for k in mine:  # the last one repeats, as a distributed sampler pads
        metric.process({}, samples(range(k % 7, k % 7 + 1)))
    return metric.evaluate(size=7)


def test_metric_counts_all_pixels_together() -> None:
    metric = METRICS.build(dict(type='ChangeMetric', per_batch=True))
    data = samples(range(7))
    metric.process({}, data[:4])
    metric.process({}, data[4:])
    found = metric.evaluate(size=7)
    pred = torch.stack([s['pred_sem_seg']['data'] for s in data])
    true = torch.stack([s['gt_sem_seg']['data'] for s in data])
    for key, value in binary_change_scores(pred, true, 255).items():
        assert found[f'change/{key}'] == pytest.approx(100 * value)
    parts = [binary_change_scores(pred[s], true[s], 255)['f1'] for s in (slice(4), slice(4, 7))]
    assert found['change/batch_f1'] == pytest.approx(100 * np.mean(parts))


@pytest.mark.parametrize('kind', ['ChangeMetric', 'SegMetric'])
def test_a_sample_without_label_is_named(kind: str) -> None:
    metric = METRICS.build(dict(type=kind))
    metric.dataset_meta = {'classes': ('no change', 'change')}
    sample = samples(range(1))[0] | {'img_path': 'rio/img1.png'}
    del sample['gt_sem_seg']
    with pytest.raises(DataError, match='rio/img1.png: has no label'):
        metric.process({}, [sample])


@pytest.mark.distributed
def test_two_processes_equal_one(tmp_path) -> None:
    one = evaluate()
    for other in run_processes(evaluate, 2, tmp_path):
        assert other == pytest.approx(one)
