"""Figures of the specification, computed in float64 NumPy, and what happens at the edges."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from rsmm.errors import ConfigError, DataError
from rsmm.models.semisup import functional as F
from rsmm.models.semisup.functional import log_shift, supervised


def t(*values, **options):
    return torch.tensor(values if len(values) > 1 else values[0], dtype=torch.float64, **options)


def close(found, expected, tolerance=1.1e-6):
    expected = torch.as_tensor(expected, dtype=torch.float64)
    assert found.dtype == torch.float64
    assert_close(found.detach(), expected, atol=tolerance, rtol=0)


LOGITS = t([[2, -1, 0.5], [-3, 0, 1.5]])
TRUTH = t([[1, 0, 0], [0, 1, 1]])
WEAK = t([[3, -4, 0.2], [0.9, -2, -3.5]])
STRONG = t([[1, -1, 0.3], [-0.5, 0.4, -2]])


class TestPlaceAndTime:
    def test_figures(self):
        found = F.encode_place_time(
            t(48.21, 39.37, 0), t(13.72, -8.22, 0), torch.tensor([164, 355, 1])
        )
        rows = [
            [0.535667, 0.076222, 0.313107, -0.949718],
            [0.437444, -0.045667, -0.171293, 0.985220],
            [0, 0, 0.017213, 0.999852],
        ]
        close(found, rows)

    def test_last_day_of_a_leap_year_is_the_first(self):
        one, last = F.encode_place_time(t(5, 5), t(6, 6), t(1, 366))
        assert_close(one, last, atol=1e-12, rtol=0)

    @pytest.mark.parametrize(
        ('place', 'message'),
        [
            ((90.5, 0, 1), 'latitude 90.5 lies outside'),
            ((139.7, 35.7, 1), 'may be swapped'),
            ((0, -180.1, 1), 'longitude'),
            ((0, 0, 0), 'day_of_year 0'),
            ((0, 0, 367), 'day_of_year 367'),
            ((float('nan'), 0, 1), 'latitude is missing'),
            ((0, 0, float('nan')), 'day_of_year is missing'),
        ],
    )
    def test_refused(self, place, message):
        with pytest.raises(DataError, match=message):
            F.encode_place_time(*(t(1, value)[1:] for value in place))

    def test_limits_are_allowed(self):
        assert F.encode_place_time(t(-90, 90), t(-180, 180), t(1, 366)).isfinite().all()


class TestLosses:
    def test_supervised(self):
        close(supervised(LOGITS, TRUTH, True), 0.392902)
        unknown = TRUTH.clone()
        unknown[0, 2] = -1
        close(supervised(LOGITS, unknown, True), 0.276668)
        assert supervised(LOGITS, torch.full_like(TRUTH, -1), True) == 0

    def test_fixmatch_multi_label(self):
        probs = WEAK.sigmoid()
        mask = F.fixed_mask(probs, (0.05, 0.70), True)
        assert mask.int().tolist() == [[1, 1, 0], [1, 0, 1]]
        label = F.hard_labels(probs, True)
        assert label.tolist() == [[1, 0, 1], [1, 0, 0]]
        close(F.consistency(STRONG, label, mask, 'bce'), 0.287921)
        scalar = F.fixed_mask(probs, 0.95, True)
        assert scalar.int().tolist() == [[1, 1, 0], [0, 0, 1]]

    def test_fixmatch_multi_class(self):
        weak, strong = t([[5, 0, 0], [1, 0.5, 0]]), t([[1, 2, 0], [0, 1, 1]])
        probs = weak.softmax(1)
        mask = F.fixed_mask(probs, 0.95)
        assert mask.tolist() == [True, False]
        close(F.consistency(strong, probs.argmax(1), mask), 0.703803)
        close(F.consistency(strong, probs, t(1, 1), 'mse'), 0.197242)

    def test_distill(self):
        teacher, student = (
            t([[1, 2, 3, 4], [0, -1, 1, 0.5]]),
            t([[0.5, 2.5, 2, 4], [1, -1, 0, 0.5]]),
        )
        for kind, value in dict(mse=0.4375, mae=0.5, cos=-0.765440, none=0.0).items():
            close(F.distill(student, teacher, kind), value)
            close(F.distill(student.flip(0), teacher.flip(0), kind), value)
        assert F.distill(teacher, teacher, 'mse') == 0
        close(F.distill(teacher, teacher, 'cos'), -1)
        with pytest.raises(ConfigError, match='none of'):
            F.distill(student, teacher, 'kl')

    def test_asymmetric(self):
        entries = F.asymmetric_loss(LOGITS, TRUTH)
        close(entries, [[0.015130, 0.000568, 0.091253], [0, 0.346574, 0.036743]])
        close(entries.mean(), 0.081711)

    @pytest.mark.parametrize('clip', [0.0, 0.05])
    def test_asymmetric_is_finite_far_out(self, clip):
        logits = t([[-800, 800, 800, -800]]).requires_grad_()
        entries = F.asymmetric_loss(logits, t([[1, 1, 0, 0]]), clip=clip)
        entries.sum().backward()
        assert entries.isfinite().all()
        assert logits.grad.isfinite().all()
        assert entries[0, 3] == 0

    def test_defixmatch(self):
        strong = t([[1.5, -0.5, 0.1], [-2, 0.2, 1]])
        both = (supervised(LOGITS, TRUTH, True) + supervised(strong, TRUTH, True)) / 2
        close(both, 0.401302)
        probs = LOGITS.sigmoid()
        mask = F.fixed_mask(probs, (0.05, 0.7), True)
        assert mask.int().tolist() == [[1, 0, 0], [1, 0, 1]]
        bias = F.consistency(strong, F.hard_labels(probs, True), mask, 'bce')
        close(bias, 0.106934)
        close(both + 0.5 * (0.287921 - bias), 0.491796)

    def test_cdmad(self):
        soft = (WEAK - t(0.5, -1, 0)).sigmoid()
        close(soft, [[0.924142, 0.047426, 0.549834], [0.598688, 0.268941, 0.029312]])
        mask = F.fixed_mask(soft, (0.05, 0.95), True)
        assert mask.int().tolist() == [[0, 1, 0], [0, 0, 1]]
        close(F.consistency(STRONG, soft, mask, 'bce'), 0.091040)

    def test_single_precision_stays(self):
        weight = torch.ones(2, dtype=torch.float64)
        assert F.consistency(LOGITS.float(), LOGITS.softmax(1), weight).dtype == torch.float32

    def test_unknown_kind(self):
        with pytest.raises(ConfigError, match='kl'):
            F.consistency(LOGITS, TRUTH, t(1, 1), 'kl')


class TestMasks:
    @pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
    def test_limits_count(self, dtype):
        probs = torch.tensor([[0.05, 0.7, 0.051, 0.699]], dtype=dtype)
        found = F.fixed_mask(probs, (0.05, 0.70), True)
        assert found.tolist() == [[True, True, False, False]]
        assert F.fixed_mask(torch.tensor([[0.95, 0.05]], dtype=dtype), 0.95, True).all()

    @pytest.mark.parametrize('threshold', [(0.7, 0.05), (0.1, 0.2, 0.3)])
    def test_pair_out_of_order(self, threshold):
        with pytest.raises(ConfigError, match=r'low, high'):
            F.fixed_mask(TRUTH, threshold, True)

    def test_pair_with_one_label_per_sample(self):
        with pytest.raises(ConfigError, match='threshold'):
            F.fixed_mask(TRUTH, (0.05, 0.7))

    def test_align(self):
        probs, target = t([[0.8, 0.3, 0.1], [0.4, 0.1, 0.05]]), t(0.3, 0.1, 0.02)
        rows = [[0.533334, 0.160001, 0.027207], [0.16, 0.047059, 0.013075]]
        close(F.align(probs, probs.mean(0), target, True), rows)
        found = F.align(t([[0.6, 0.3, 0.1]]), t(0.5, 0.3, 0.2), torch.full((3,), 1 / 3).double())
        close(found, [[0.444445, 0.370370, 0.185185]])

    def test_sharpen(self):
        close(F.sharpen(t([[0.6, 0.3, 0.1]]), 0.5), [[0.782609, 0.195652, 0.021739]])
        cold = F.sharpen(t([[0.6, 0.3, 0.1], [0, 0.5, 0.5]]), 1e-3)
        close(cold, [[1, 0, 0], [0, 0.5, 0.5]])
        with pytest.raises(ConfigError, match='temperature'):
            F.sharpen(TRUTH, 0)

    def test_flex(self):
        close(
            F.flex_thresholds(torch.tensor([10, 5, 2, 0]), 17, 0.95),
            [0.95, 0.316667, 0.105556, 0],
        )
        assert F.flex_thresholds(torch.zeros(4, dtype=torch.long), 100, 0.95).tolist() == [0] * 4
        assert F.flex_thresholds(torch.zeros(4), 0, 0.95).tolist() == [0] * 4

    def test_adamatch(self):
        probs = t([[3, 0, 0], [0, 2, 0]]).softmax(1).requires_grad_()
        found = F.adamatch_threshold(probs, 0.95)
        close(found, 0.805804)
        assert not found.requires_grad

    def test_dash(self):
        found = [F.dash_threshold(1.5, step) for step in range(4)]
        assert found == pytest.approx([1.50015, 1.18122, 0.930095, 0.732358], abs=1e-5)
        assert F.dash_threshold(1.5, 100) == 0.05

    def test_cap(self):
        columns = [[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]]
        columns.append([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05])
        queue, rate = t(columns).T, t(0.2, 0.5)
        label, positive, negative = F.cap_thresholds(queue, rate, 0.8, 0.5)
        close(label, [0.9, 0.5])
        close(positive, [0.9, 0.6])
        close(negative, [0.5, 0.2])
        assert (queue >= label).sum(0).tolist() == [2, 5]
        same = torch.stack(F.cap_thresholds(queue, rate))
        assert (same == same[0]).all()

    def test_cap_of_one_row(self):
        for part in F.cap_thresholds(t([[0.3, 0.6]]), t(0.0, 1.0)):
            assert part.tolist() == [0.3, 0.6]


class TestFreeMatch:
    def test_one_step(self):
        start = (torch.full((3,), 0.5).double(),) * 3
        probs = WEAK.sigmoid()
        state = F.freematch_update(start, probs, multi_label=True)
        close(state[0], [0.500332, 0.500431, 0.500260])
        close(state[1], [0.500332, 0.499569, 0.499790])
        close(state[2], [0.5005, 0.4995, 0.5])
        assert F.freematch_mask(state, probs, True).all()
        assert all((part == 0.5).all() for part in start)

    def test_fairness(self):
        mask = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 0, 1]])
        strong = t([[1, -1, 0.5], [-2, 0.3, 1], [0.4, 2, -0.7]])
        state = (t(0.5, 0.5, 0.5), t(0.3, 0.6, 0.5), t(0.25, 0.5, 0.5))
        close(F.freematch_fairness(state, strong, mask, True), -2.242818)
        state = (t(0.5), t(0.5, 0.3, 0.2), t(0.6, 0.4, 0))
        strong = t([[2, 0, 0], [0, 1, 0], [1.5, 0, 1]])
        close(F.freematch_fairness(state, strong, torch.ones(3)), -0.694413)

    def test_class_without_masked_entry(self):
        state = (t(0.5, 0.5), t(0.3, 0.6), t(0.25, 0.5))
        strong = t([[1, -1], [-2, 0.3]]).requires_grad_()
        mask = torch.tensor([[True, False], [True, False]])
        found = F.freematch_fairness(state, strong, mask, True)
        alone = F.freematch_fairness(
            tuple(part[:1] for part in state), strong[:, :1], mask[:, :1], True
        )
        assert_close(found, alone)
        found.backward()
        assert strong.grad.isfinite().all()
        assert (strong.grad[:, 1] == 0).all()

    @pytest.mark.parametrize('multi_label', [False, True])
    def test_single_precision_has_the_same_gradient(self, multi_label):
        """A class that all or none of the strong views show: its odds are all on one side."""
        draw = torch.Generator().manual_seed(0)
        strong = torch.randn(16, 3, generator=draw, dtype=torch.float64)
        strong[:, 0] = strong[:, 0].abs() + 0.1
        strong[:, 1] = -strong[:, 1].abs() - 0.1
        mask = torch.ones(16, 3) if multi_label else torch.ones(16)
        gradients = []
        for dtype in (torch.float32, torch.float64):
            leaf = strong.to(dtype).requires_grad_()
            state = tuple(
                part.to(dtype) for part in (t(0.5, 0.5, 0.5), t(0.7, 0.3, 0.5), t(0.75, 0.3, 0.4))
            )
            F.freematch_fairness(state, leaf, mask, multi_label).backward()
            gradients.append(leaf.grad.double())
        assert_close(*gradients, atol=1e-5, rtol=1e-4)

    @pytest.mark.parametrize('multi_label', [False, True])
    def test_nothing_masked_in(self, multi_label):
        strong = t([[1, -1], [-2, 0.3]]).requires_grad_()
        mask = torch.zeros(2, 2 if multi_label else 1).squeeze(1 if not multi_label else 0)
        state = (t(0.5, 0.5), t(0.3, 0.7), t(0, 1))
        found = F.freematch_fairness(state, strong, mask, multi_label)
        found.backward()
        assert found == 0
        assert (strong.grad == 0).all()

    def test_thresholds(self):
        state = (t(0.9), t(0.5, 0.3, 0.2), t(1, 0, 0))
        limits = [0.9, 0.54, 0.36]
        for k, limit in enumerate(limits):
            probs = torch.full((2, 3), (1 - limit) / 2, dtype=torch.float64)
            probs[0, k], probs[1, k] = limit + 1e-9, limit - 1e-9
            if probs[0].argmax() == k:
                assert F.freematch_mask(state, probs).tolist() == [True, False]


class TestSoftMatch:
    def test_weights(self):
        state, probs = (t(0.8), t(0.02)), t([[0.55, 0.45], [0.7, 0.3], [0.9, 0.1]])
        close(F.softmatch_weight(state, probs), [0.001930, 0.367879, 1])

    def test_first_batch(self):
        probs = F.align(
            t([[0.8, 0.3, 0.1], [0.4, 0.1, 0.05]]), t(0.6, 0.2, 0.075), t(0.3, 0.1, 0.02), True
        )
        start = (torch.full((3,), 0.5).double(), torch.ones(3).double())
        state = F.softmatch_update(start, probs, multi_label=True)
        close(state[0], [0.500187, 0.500396, 0.500480])
        close(state[1], [0.999047, 0.999006, 0.999000])
        assert (F.softmatch_weight(state, probs, multi_label=True) == 1).all()

    def test_batch_of_one_keeps_the_variance(self):
        mean, variance = F.softmatch_update((t(0.5), t(0.3)), t([[0.9, 0.1]]), 0.9)
        close(mean, 0.54)
        close(variance, 0.3)

    def test_no_variance(self):
        probs = t([[0.9, 0.1], [0.7, 0.3]])
        assert F.softmatch_weight((t(0.9), t(0)), probs).tolist() == [1, 0]


class TestUDAL:
    prior, mean = t(0.3, 0.1, 0.02), t(0.5, 0.1, 0.05)

    @pytest.mark.parametrize(
        ('progress', 'target', 'labelled', 'unlabelled'),
        [
            (0, [0.3, 0.1, 0.02], [0, 0, 0], [0.510826, 0, 0.916291]),
            (
                0.5,
                [0.322701, 0.127575, 0.032129],
                [-0.072944, -0.243535, -0.474024],
                [0.437881, -0.243535, 0.442267],
            ),
            (
                1,
                [0.395644, 0.25, 0.125],
                [-0.276732, -0.916291, -1.832581],
                [0.234093, -0.916291, -0.916291],
            ),
        ],
    )
    def test_figures(self, progress, target, labelled, unlabelled):
        found = F.udal_target(self.prior, progress, multi_label=True)
        close(found, target)
        close(log_shift(self.prior, found), labelled, 2e-6)
        close(log_shift(self.mean, found), unlabelled, 2e-6)

    def test_multi_class_adds_up_to_one(self):
        found = F.udal_target(t(0.7, 0.2, 0.1), 0.8)
        assert found.sum() == pytest.approx(1)

    def test_absent_class(self):
        for multi_label in (False, True):
            target = F.udal_target(t(0.0, 1.0), 0.5, multi_label=multi_label)
            assert log_shift(t(0.0, 1.0), target).isfinite().all()
