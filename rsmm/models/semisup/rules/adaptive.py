"""Rules whose threshold or weight follows the model."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from rsmm.errors import ConfigError
from rsmm.models.semisup.batch import Batch, Outputs, Target
from rsmm.models.semisup.branch import Branch
from rsmm.models.semisup.functional import (
    adamatch_threshold,
    align,
    dash_threshold,
    fixed_mask,
    flex_thresholds,
    freematch_fairness,
    freematch_mask,
    freematch_update,
    hard_labels,
    softmatch_update,
    softmatch_weight,
)
from rsmm.models.semisup.rules.base import ConsistencyRule
from rsmm.models.semisup.rules.fixed import ThresholdRule
from rsmm.models.semisup.rules.state import RunningMean
from rsmm.registry import MODELS

UNUSED = -1


@MODELS.register_module()
class FlexMatchRule(ThresholdRule):
    """FixMatch with a lower threshold for classes that are learned less.

    How far a class is learned is the number of unlabelled samples whose last confident prediction
    was this class. Source: Zhang et al., NeurIPS 2021.

    Model state: ``selected`` ``(M,)``, the last confident class of each unlabelled sample or -1; it
    gets its length when a run starts.

    Args:
        num_classes: Number of classes.
        threshold: Upper limit of the thresholds, and when a prediction is confident.
        weight: Weight of the unlabelled term.
    """

    sized_buffers = ('selected',)
    selected: Tensor

    def __init__(self, num_classes: int, threshold: float = 0.95, weight: float = 1.0) -> None:
        super().__init__(num_classes, threshold, weight)
        self.register_buffer('selected', torch.zeros(0, dtype=torch.long))

    def prepare(self, *, num_unlabelled: int | None = None, **facts) -> None:
        """Make room for the unlabelled set."""
        super().prepare(num_unlabelled=num_unlabelled, **facts)
        if num_unlabelled is not None and num_unlabelled != len(self.selected):
            self.selected = self.selected.new_full((num_unlabelled,), UNUSED)

    def thresholds_now(self) -> Tensor:
        """Threshold of each class ``(C,)``, float64."""
        used = self.selected[self.selected != UNUSED]
        counts = torch.bincount(used, minlength=self.num_classes)
        return flex_thresholds(counts, len(self.selected), self.threshold)

    def weigh(self, probs: Tensor, seen: Mapping[str, Outputs], batch: Batch) -> Tensor:
        """Mask with the thresholds from before this batch, then note its confident predictions."""
        total = self.needed(len(self.selected) or None, 'the size of the unlabelled set')
        index = batch.shared_index('unlabelled', total)
        labels = hard_labels(probs)
        mask = fixed_mask(probs, self.thresholds_now()[labels].to(probs.dtype))
        sure = fixed_mask(probs, self.threshold)
        self.selected[index[sure]] = labels[sure]
        return mask


@MODELS.register_module()
class DashRule(ConsistencyRule):
    """Keep samples whose loss against their own pseudo-label is below a falling limit.

    Labels are sharpened probabilities until the limit has reached its minimum, hard ones then.
    Source: Xu et al., Dash (ICML 2021).

    Model state: ``loss_sum`` and ``loss_count``, the labelled loss at the end of the warm-up.

    Args:
        num_classes: Number of classes.
        weight: Weight of the unlabelled term.
        warmup: Steps with labelled samples only.
        calibration: Last steps of the warm-up whose mean labelled loss sets the first limit.
        decay_every: Steps between two decays of the limit.
        temperature: Sharpness of the soft labels.
    """

    def __init__(
        self,
        num_classes: int,
        weight: float = 1.0,
        warmup: int = 2048,
        calibration: int = 256,
        decay_every: int = 10240,
        temperature: float = 0.5,
    ) -> None:
        super().__init__(num_classes, weight, warmup=warmup)
        if calibration < 1 or decay_every < 1 or temperature <= 0:
            raise ConfigError(
                f'calibration={calibration}, decay_every={decay_every}, temperature={temperature}',
                where='DashRule',
            )
        self.calibration, self.decay_every = calibration, decay_every
        self.temperature = temperature
        self.register_buffer('loss_sum', torch.zeros(()))
        self.register_buffer('loss_count', torch.zeros(()))

    def observe(self, out: Mapping[str, Outputs], batch: Batch) -> None:
        """Sum the labelled loss at the end of the warm-up, or in the first step without one."""
        near_end = self.warming and int(self.step) >= self.warmup - self.calibration
        if near_end or self.loss_count == 0:
            if not near_end and self.warming:
                return
            self.loss_sum += self.supervised(out['labelled'].logits, batch.labels)
            self.loss_count += 1

    def limit(self) -> float:
        """Largest loss that is kept now."""
        decays = max(int(self.step) - self.warmup, 0) // self.decay_every
        return dash_threshold(float(self.loss_sum / self.loss_count), decays)

    def targets(self, seen: Mapping[str, Outputs], batch: Batch, branch: Branch) -> Target:
        """Label and mask of the weak view."""
        logits = seen['weak'].logits
        rho = self.limit()
        if rho <= dash_threshold(0.0, 0):
            label = logits.argmax(dim=1)
        else:
            label = (logits / self.temperature).softmax(dim=1)
        return Target(label, F.cross_entropy(logits, label, reduction='none') <= rho)


@MODELS.register_module()
class AdaMatchRule(ThresholdRule):
    """Predictions aligned to those on labelled samples, and a threshold relative to these.

    Source: Berthelot et al., AdaMatch (ICLR 2022).

    Model state: ``model_mean`` and ``labelled_mean``, running means of the predictions.

    Args:
        num_classes: Number of classes.
        threshold: Share of the mean confidence on the labelled samples.
        weight: Weight of the unlabelled term.
        momentum: Share of the old running means.
    """

    labelling = ('weak', 'labelled')

    def __init__(
        self,
        num_classes: int,
        threshold: float = 0.95,
        weight: float = 1.0,
        momentum: float = 0.999,
    ) -> None:
        super().__init__(num_classes, threshold, weight)
        self.model_mean = RunningMean(num_classes, momentum)
        self.labelled_mean = RunningMean(num_classes, momentum)

    def targets(self, seen: Mapping[str, Outputs], batch: Batch, branch: Branch) -> Target:
        """Hard labels and mask of the aligned predictions."""
        probs, labelled = (self.probs(seen[name].logits) for name in ('weak', 'labelled'))
        goal = self.labelled_mean.update(labelled).to(probs)
        aligned = align(probs, self.model_mean.update(probs).to(probs), goal)
        limit = adamatch_threshold(labelled, self.threshold)
        return Target(hard_labels(aligned), fixed_mask(aligned, limit))


@MODELS.register_module()
class FreeMatchRule(ConsistencyRule):
    """Thresholds per class that follow the model, and a term for fairness among classes.

    Source: Wang et al., ICLR 2023; multi-label: Bernhard et al., ECAI 2024. The published
    multi-label term is 0 / 0 for a class without a masked entry; here such a class is left out.

    Model state: ``tau``, ``pi``, ``hist``, see
    :func:`rsmm.models.semisup.functional.freematch_update`.

    Args:
        num_classes: Number of classes.
        weight: Weight of the unlabelled term.
        fairness_weight: Weight of the fairness term, which is negative.
        momentum: Share of the old state.
        multi_label: Each class has a sigmoid of its own.
        warmup: Steps with labelled samples only; the published multi-label runs have 2000.
    """

    multi_label_allowed = True

    def __init__(
        self,
        num_classes: int,
        weight: float = 1.0,
        fairness_weight: float = 0.001,
        momentum: float = 0.999,
        multi_label: bool = False,
        warmup: int = 0,
    ) -> None:
        super().__init__(num_classes, weight, multi_label, warmup=warmup)
        self.fairness_weight = fairness_weight
        self.momentum = momentum
        start = 0.5 if multi_label else 1 / num_classes
        self.register_buffer('tau', torch.full((num_classes,) if multi_label else (), start))
        self.register_buffer('pi', torch.full((num_classes,), start))
        self.register_buffer('hist', torch.full((num_classes,), start))

    def state(self) -> tuple[Tensor, Tensor, Tensor]:
        """``(tau, pi, hist)``."""
        return self.tau, self.pi, self.hist

    def weigh(self, probs: Tensor, seen: Mapping[str, Outputs], batch: Batch) -> Tensor:
        """Move the state on, then mask with it."""
        state = freematch_update(self.state(), probs, self.momentum, self.multi_label)
        for buffer, new in zip(self.state(), state, strict=True):
            buffer.copy_(new)
        return freematch_mask(self.state(), probs, self.multi_label)

    def terms(
        self, out: Mapping[str, Outputs], target: Target | None, batch: Batch, branch: Branch
    ) -> dict[str, Tensor]:
        """Supervised, consistency and fairness loss."""
        terms = super().terms(out, target, batch, branch)
        if target is not None:
            fairness = freematch_fairness(
                self.state(), out['strong'].logits, target.weight, self.multi_label
            )
            terms['loss_fairness'] = self.on * self.fairness_weight * fairness
        return terms


@MODELS.register_module()
class SoftMatchRule(ConsistencyRule):
    """Every pseudo-label counts, by how near its confidence is to the running mean.

    Confidences are those of predictions aligned to a target distribution; labels are not aligned.
    Source: Chen et al., ICLR 2023; multi-label: Bernhard et al., ECAI 2024.

    Model state: ``mean`` and ``variance`` of the confidence, and the running means.

    Args:
        num_classes: Number of classes.
        weight: Weight of the unlabelled term.
        n_sigma: Strictness of the weight.
        momentum: Share of the old state.
        align_to: ``'uniform'``, ``'labelled'`` (running mean of the predictions on labelled
            samples) or ``'frequency'`` (class frequency of the labelled samples); by default
            uniform, multi-label the frequency.
        multi_label: Each class has a sigmoid of its own.
        warmup: Steps with labelled samples only.
    """

    multi_label_allowed = True
    labelling = ('weak', 'labelled')
    TARGETS = ('uniform', 'labelled', 'frequency')

    def __init__(
        self,
        num_classes: int,
        weight: float = 1.0,
        n_sigma: float = 2.0,
        momentum: float = 0.999,
        align_to: str | None = None,
        multi_label: bool = False,
        warmup: int = 0,
    ) -> None:
        super().__init__(num_classes, weight, multi_label, warmup=warmup)
        self.align_to = align_to or ('frequency' if multi_label else 'uniform')
        allowed = self.TARGETS[1:] if multi_label else self.TARGETS
        if self.align_to not in allowed or n_sigma <= 0:
            raise ConfigError(
                f'align_to={align_to!r}, n_sigma={n_sigma}',
                where='SoftMatchRule',
                fix=f'align_to is one of {", ".join(allowed)}, n_sigma positive',
            )
        self.n_sigma, self.momentum = n_sigma, momentum
        start = 0.5 if multi_label else 1 / num_classes
        shape = (num_classes,) if multi_label else ()
        self.register_buffer('mean', torch.full(shape, start))
        self.register_buffer('variance', torch.ones(shape))
        self.model_mean = RunningMean(num_classes, momentum)
        self.labelled_mean = RunningMean(num_classes, momentum)
        self.frequency: Tensor | None = None

    def prepare(self, *, class_frequency: Tensor | None = None, **facts) -> None:
        """Take the class frequencies in."""
        super().prepare(class_frequency=class_frequency, **facts)
        self.frequency = class_frequency

    def _goal(self, labelled: Tensor) -> Tensor:
        if self.align_to == 'uniform':
            return torch.full_like(labelled[0], 1 / self.num_classes)
        if self.align_to == 'labelled':
            return self.labelled_mean.update(labelled).to(labelled)
        return self.needed(self.frequency, 'the class frequencies').to(labelled)

    def weigh(self, probs: Tensor, seen: Mapping[str, Outputs], batch: Batch) -> Tensor:
        """Align, move mean and variance on, weigh."""
        goal = self._goal(self.probs(seen['labelled'].logits))
        mean = self.model_mean.update(probs).to(probs)
        aligned = align(probs, mean, goal, self.multi_label)
        state = softmatch_update(
            (self.mean, self.variance), aligned, self.momentum, self.multi_label
        )
        self.mean.copy_(state[0])
        self.variance.copy_(state[1])
        return softmatch_weight(state, aligned, self.n_sigma, self.multi_label)
