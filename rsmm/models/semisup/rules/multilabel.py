"""Rules against class imbalance, made for many labels per image: UDAL, CAP, CDMAD."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from rsmm.errors import ConfigError
from rsmm.models.semisup.batch import Batch, Outputs, Target
from rsmm.models.semisup.branch import Branch
from rsmm.models.semisup.functional import (
    asymmetric_loss,
    cap_thresholds,
    fixed_mask,
    log_odds_shift,
    log_shift,
    udal_target,
)
from rsmm.models.semisup.rules.base import ConsistencyRule
from rsmm.models.semisup.rules.fixed import Threshold, ThresholdRule
from rsmm.models.semisup.rules.state import Ring, RunningMean
from rsmm.registry import MODELS


@MODELS.register_module()
class UDALRule(ThresholdRule):
    """FixMatch whose logits are shifted from the class distribution seen to a flatter one.

    Labelled logits are shifted by the labelled frequencies, unlabelled ones by the running mean of
    the network's predictions; labels and masks are those of the logits as they are. Source:
    Lazarow et al., Unifying Distribution Alignment as a Loss (WACV 2023); multi-label: Bernhard et
    al., ECAI 2024.

    Model state: ``model_mean`` of the labelling network on weak views, ``student_mean`` of a
    student on the strong views that it sees.

    Args:
        num_classes: Number of classes.
        threshold: Confidence from which a prediction counts.
        weight: Weight of the unlabelled term.
        a_min: Exponent of the frequencies at the end of the run; lower is flatter.
        k: How late the exponent falls.
        momentum: Share of the old running means.
        multi_label: Each class has a sigmoid of its own.
        log_odds: Multi-label: shift by the ratio of the odds, which is what a sigmoid's logit is,
            instead of the ratio of the probabilities, as published.
        reference: As the published code: the student is shifted by the teacher's running mean.
    """

    multi_label_allowed = True
    thresholds = (0.95, 0.95)

    def __init__(
        self,
        num_classes: int,
        threshold: Threshold | None = None,
        weight: float = 1.0,
        a_min: float = 0.5,
        k: float = 2.0,
        momentum: float = 0.999,
        multi_label: bool = False,
        log_odds: bool = False,
        reference: bool = False,
    ) -> None:
        super().__init__(num_classes, threshold, weight, multi_label)
        if not 0 <= a_min <= 1 or k <= 0:
            raise ConfigError(f'a_min={a_min}, k={k}', where='UDALRule')
        if log_odds and not multi_label:
            raise ConfigError('log_odds is for multi_label=True', where='UDALRule')
        self.a_min, self.k = a_min, k
        self.reference = reference
        self.shift = log_odds_shift if log_odds else log_shift
        self.model_mean = RunningMean(num_classes, momentum)
        self.student_mean = RunningMean(num_classes, momentum)
        self.frequency: Tensor | None = None

    def prepare(self, *, class_frequency: Tensor | None = None, **facts) -> None:
        """Take the class frequencies in."""
        super().prepare(class_frequency=class_frequency, **facts)
        self.frequency = class_frequency

    def weigh(self, probs: Tensor, seen: Mapping[str, Outputs], batch: Batch) -> Tensor:
        """Move the running mean on; mask by the threshold."""
        self.model_mean.update(probs)
        return super().weigh(probs, seen, batch)

    def terms(
        self, out: Mapping[str, Outputs], target: Target | None, batch: Batch, branch: Branch
    ) -> dict[str, Tensor]:
        """Supervised and consistency loss of shifted logits."""
        labelled, strong = out['labelled'].logits, out['strong'].logits
        prior = self.needed(self.frequency, 'the class frequencies').to(labelled)
        goal = udal_target(prior, self.progress, self.a_min, self.k, self.multi_label)
        mean = self.model_mean.mean
        if branch.is_student and not self.reference:
            mean = self.student_mean.update(self.probs(strong.detach()))
        loss = self.unsupervised(strong + self.shift(mean.to(strong), goal), target)
        return {
            'loss_supervised': self.supervised(labelled + self.shift(prior, goal), batch.labels),
            'loss_unsupervised': self.weight * self.ramp_up() * loss,
        }


@MODELS.register_module()
class CAPRule(ConsistencyRule):
    """As many positives of each class as among the labelled samples, by quantiles of a queue.

    Averaged weights make the predictions. With ``pos_per`` and ``neg_per`` 1 every entry counts.
    Source: Xie et al., Class-Distribution-Aware Pseudo-Labeling (NeurIPS 2023).

    Model state: ``queue``, the last predictions; the averaged network is the frame's.

    Args:
        num_classes: Number of classes.
        weight: Weight of the unlabelled term.
        pos_per: Share of the expected positives that is trusted.
        neg_per: Share of the expected negatives that is trusted.
        gamma_neg: Focusing of negatives in the asymmetric loss.
        gamma_pos: Focusing of positives.
        clip: Margin of negatives.
        queue_len: Predictions that quantiles are taken of.
        momentum: Share of the old weights in the average.
        multi_label: True; CAP has no other form.
        warmup: Steps with labelled samples only; the authors of CAP have 12 epochs.
        reference: As the published code: the averaged network keeps dropping layers at random.
    """

    multi_label_allowed, multi_class_allowed = True, False
    asks = ('average',)
    EPS = 1e-8

    def __init__(
        self,
        num_classes: int,
        weight: float = 1.0,
        pos_per: float = 1.0,
        neg_per: float = 1.0,
        gamma_neg: float = 4.0,
        gamma_pos: float = 1.0,
        clip: float = 0.05,
        queue_len: int = 64000,
        momentum: float = 0.999,
        multi_label: bool = True,
        warmup: int = 0,
        reference: bool = False,
    ) -> None:
        super().__init__(num_classes, weight, multi_label, warmup=warmup)
        if not (0 <= pos_per <= 1 and 0 <= neg_per <= 1):
            raise ConfigError(f'pos_per={pos_per}, neg_per={neg_per} are shares', where='CAPRule')
        self.pos_per, self.neg_per = pos_per, neg_per
        self.asymmetry = dict(gamma_neg=gamma_neg, gamma_pos=gamma_pos, clip=clip)
        self.average_momentum, self.average_trains = momentum, reference
        self.queue = Ring(queue_len, num_classes)
        self.frequency: Tensor | None = None

    def prepare(self, *, class_frequency: Tensor | None = None, **facts) -> None:
        """Take the positive rates in."""
        super().prepare(class_frequency=class_frequency, **facts)
        self.frequency = class_frequency

    def supervised(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Mean asymmetric loss of the entries that are known."""
        known = labels != -1
        entries = asymmetric_loss(logits, torch.where(known, labels, 0), **self.asymmetry)
        return (entries * known).sum() / known.sum().clamp(min=1)

    def targets(self, seen: Mapping[str, Outputs], batch: Batch, branch: Branch) -> Target:
        """Let the predictions into the queue, then label and mask them by its quantiles."""
        probs = self.probs(seen['weak'].logits)
        rate = self.needed(self.frequency, 'the positive rates of the labelled set').to(probs)
        self.queue.push(probs)
        label, positive, negative = cap_thresholds(
            self.queue.content().to(probs), rate, self.pos_per, self.neg_per
        )
        return Target((probs >= label).to(probs), (probs >= positive) | (probs <= negative))

    def unsupervised(self, logits: Tensor, target: Target) -> Tensor:
        """Mean asymmetric loss of the entries that count."""
        mask = target.weight.to(logits)
        entries = asymmetric_loss(logits, target.label, **self.asymmetry)
        return (entries * mask).sum() / (mask.sum() + self.EPS)


@MODELS.register_module()
class CDMADRule(ThresholdRule):
    """Soft labels freed of what the network says of an image without content.

    The bias is taken off the weak logits and, at test time, off the predictions. Source: Lee and
    Kim, CDMAD (CVPR 2024); multi-label: Bernhard et al., ECAI 2024.

    Args:
        num_classes: Number of classes.
        threshold: .95; multi-label (.05, .95).
        weight: Weight of the unlabelled term.
        start: Steps after which the bias is taken off.
        image_value: Value of all pixels of the empty image, after normalisation.
        multi_label: Each class has a sigmoid of its own.
        reference: As the published spatiotemporal code: the bias comes from the teacher backbone's
            own head, which is never trained, in training mode, and is taken off the student's
            predictions, too.
    """

    multi_label_allowed = True
    thresholds = (0.95, (0.05, 0.95))

    def __init__(
        self,
        num_classes: int,
        threshold: Threshold | None = None,
        weight: float = 1.0,
        start: int = 0,
        image_value: float = 1.0,
        multi_label: bool = False,
        reference: bool = False,
    ) -> None:
        super().__init__(num_classes, threshold, weight, multi_label)
        self.start = start
        self.image_value = image_value
        self.reference = reference
        self.asks = ('untrained_head',) if reference else ()

    def bias(self, branch: Branch, images: Tensor) -> Tensor:
        """Bias of a network ``(C,)``, 0 before ``start``."""
        if int(self.step) < self.start:
            return images.new_zeros(self.num_classes)
        empty = torch.full_like(images[:1], self.image_value)
        return branch.bias_logits(empty, own_head=self.reference)

    def targets(self, seen: Mapping[str, Outputs], batch: Batch, branch: Branch) -> Target:
        """Probabilities without bias, and which of them count."""
        bias = self.bias(branch, batch.views['weak'].images)
        probs = self.probs(seen['weak'].logits - bias.to(seen['weak'].logits))
        return Target(probs, fixed_mask(probs, self.threshold, self.multi_label))

    def predicted(self, logits: Tensor, branch: Branch, images: Tensor) -> Tensor:
        """Take the bias off."""
        return logits - self.bias(branch, images).to(logits)
