"""Rules that compare samples with each other in a projected space: CRMatch, CoMatch, SimMatch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from rsmm.errors import ConfigError
from rsmm.models.semisup.batch import Batch, Outputs, Target, quarter_turns
from rsmm.models.semisup.branch import Branch
from rsmm.models.semisup.functional import fixed_mask
from rsmm.models.semisup.rules.fixed import FixMatchRule, ThresholdRule
from rsmm.models.semisup.rules.state import Ring
from rsmm.registry import MODELS

EMPTY = -1


@MODELS.register_module()
class CRMatchRule(FixMatchRule):
    """FixMatch whose projected features of weak and strong views are kept apart, and a rotation.

    Source: Fan et al., Revisiting Consistency Regularization (IJCV 2023).

    Args:
        num_classes: Number of classes.
        threshold: Confidence from which a prediction counts.
        weight: Weight of the consistency loss.
        distance_weight: Weight of the positive part of the cosine similarity.
        rotation_weight: Weight of recognising the rotation of a weak view.
        projection_dim: Size of the projected features.
    """

    multi_label_allowed = False
    asks = ('projector', 'rotation')

    def __init__(
        self,
        num_classes: int,
        threshold: float = 0.95,
        weight: float = 1.0,
        distance_weight: float = 1.0,
        rotation_weight: float = 1.0,
        projection_dim: int = 128,
    ) -> None:
        super().__init__(num_classes, threshold, weight)
        self.distance_weight, self.rotation_weight = distance_weight, rotation_weight
        self.projection_dim = projection_dim

    def targets(self, seen: Mapping[str, Outputs], batch: Batch, branch: Branch) -> Target:
        """Hard label and mask, weak features and turned images."""
        target = super().targets(seen, batch, branch)
        turned, turns = quarter_turns(batch, 'weak')
        target.extra.update(features=seen['weak'].projected, turned=turned, turns=turns)
        return target

    def terms(
        self, out: Mapping[str, Outputs], target: Target | None, batch: Batch, branch: Branch
    ) -> dict[str, Tensor]:
        """Supervised, consistency, distance and rotation loss."""
        terms = super().terms(out, target, batch, branch)
        extra = target.extra
        alike = (out['strong'].projected * extra['features']).sum(dim=1).clamp(min=0).mean()
        rotation = F.cross_entropy(branch.rotation_logits(extra['turned']), extra['turns'])
        terms['loss_distance'] = self.on * self.distance_weight * alike
        terms['loss_rotation'] = self.on * self.rotation_weight * rotation
        return terms


class AlignedRule(ThresholdRule):
    """Base of the rules that align predictions to uniform by the mean of the last batches.

    Model state: ``means``, the mean predictions of the last batches.
    """

    asks = ('projector',)

    def __init__(
        self,
        num_classes: int,
        threshold: float,
        weight: float,
        smoothing: float,
        temperature: float,
        projection_dim: int,
        align_len: int,
    ) -> None:
        super().__init__(num_classes, threshold, weight)
        if not 0 <= smoothing <= 1 or temperature <= 0 or projection_dim < 1:
            raise ConfigError(
                f'smoothing={smoothing}, temperature={temperature}, '
                f'projection_dim={projection_dim}',
                where=type(self).__name__,
            )
        self.smoothing, self.temperature = smoothing, temperature
        self.projection_dim = projection_dim
        self.means = Ring(align_len, num_classes)

    def aligned(self, probs: Tensor) -> Tensor:
        """Take a batch in and divide it by the mean of the last ones; rows add up to 1."""
        self.means.push(probs.mean(dim=0, keepdim=True))
        even = probs / self.means.content().mean(dim=0).to(probs).clamp(min=1e-12)
        return even / even.sum(dim=1, keepdim=True)


@MODELS.register_module()
class CoMatchRule(AlignedRule):
    """Labels smoothed by similar samples of the past, and embeddings that follow the labels' graph.

    Two strong views attract each other where their pseudo-labels agree. Source: Li et al., ICCV
    2021.

    Model state: ``queue``, embeddings and labels of the last samples; ``means``.

    Args:
        num_classes: Number of classes.
        threshold: Confidence from which a label counts.
        weight: Weight of the consistency loss.
        contrast_weight: Weight of the graph's loss.
        edge: Agreement from which two samples are joined.
        smoothing: Share of a sample's own prediction in its label.
        temperature: Divisor of the similarities.
        projection_dim: Size of the embeddings.
        queue_len: Samples in the queue; published are 32 batches, labelled and unlabelled.
        align_len: Batches whose mean prediction is made uniform.
    """

    views = ('labelled', 'weak', 'strong', 'strong_2')
    labelling = ('weak', 'labelled')
    learning = ('labelled', 'strong', 'strong_2')

    def __init__(
        self,
        num_classes: int,
        threshold: float = 0.95,
        weight: float = 1.0,
        contrast_weight: float = 1.0,
        edge: float = 0.8,
        smoothing: float = 0.9,
        temperature: float = 0.2,
        projection_dim: int = 64,
        queue_len: int = 512,
        align_len: int = 32,
    ) -> None:
        super().__init__(
            num_classes, threshold, weight, smoothing, temperature, projection_dim, align_len
        )
        self.contrast_weight, self.edge = contrast_weight, edge
        self.queue = Ring(queue_len, projection_dim + num_classes)

    def targets(self, seen: Mapping[str, Outputs], batch: Batch, branch: Branch) -> Target:
        """Aligned and smoothed labels and their graph; then the samples join the queue."""
        plain = self.aligned(self.probs(seen['weak'].logits))
        weak, labelled = seen['weak'].projected, seen['labelled'].projected
        label = plain
        past = self.queue.content().to(weak)
        if len(past):
            near = (weak @ past[:, : self.projection_dim].T / self.temperature).softmax(dim=1)
            memory = near @ past[:, self.projection_dim :]
            label = self.smoothing * plain + (1 - self.smoothing) * memory
        graph = (label @ label.T).fill_diagonal_(1)
        graph = graph * (graph >= self.edge)
        graph = graph / graph.sum(dim=1, keepdim=True)
        known = F.one_hot(batch.labels, self.num_classes).to(plain)
        rows = torch.cat([torch.cat([weak, labelled]), torch.cat([plain, known])], dim=1)
        self.queue.push(rows)
        return Target(label, fixed_mask(label, self.threshold), {'graph': graph})

    def terms(
        self, out: Mapping[str, Outputs], target: Target | None, batch: Batch, branch: Branch
    ) -> dict[str, Tensor]:
        """Supervised, consistency and graph loss."""
        terms = super().terms(out, target, batch, branch)
        alike = out['strong'].projected @ out['strong_2'].projected.T / self.temperature
        contrast = -(alike.log_softmax(dim=1) * target.extra['graph']).sum(dim=1).mean()
        terms['loss_contrast'] = self.on * self.contrast_weight * contrast
        return terms


@MODELS.register_module()
class SimMatchRule(AlignedRule):
    """Weak and strong views shall resemble the labelled samples alike; labels and likeness meet.

    Source: Zheng et al., CVPR 2022.

    Model state: ``bank`` ``(N, P)`` and ``bank_labels`` ``(N,)`` of the labelled set, -1 where a
    sample was not seen yet; they get their length when a run starts. ``means``.

    Args:
        num_classes: Number of classes.
        threshold: Confidence from which a label counts.
        weight: Weight of the consistency loss.
        instance_weight: Weight of the likeness loss.
        smoothing: Share of the prediction in the label; the rest is the likeness, class by class.
        temperature: Divisor of the similarities.
        projection_dim: Size of the embeddings.
        align_len: Batches whose mean prediction is made uniform.
    """

    labelling = ('weak', 'labelled')
    sized_buffers = ('bank', 'bank_labels')

    bank: Tensor
    bank_labels: Tensor

    def __init__(
        self,
        num_classes: int,
        threshold: float = 0.95,
        weight: float = 1.0,
        instance_weight: float = 1.0,
        smoothing: float = 0.9,
        temperature: float = 0.2,
        projection_dim: int = 128,
        align_len: int = 32,
    ) -> None:
        super().__init__(
            num_classes, threshold, weight, smoothing, temperature, projection_dim, align_len
        )
        self.instance_weight = instance_weight
        self.register_buffer('bank', torch.zeros(0, projection_dim))
        self.register_buffer('bank_labels', torch.zeros(0, dtype=torch.long))

    def prepare(self, *, num_labelled: int | None = None, **facts) -> None:
        """Make room for the labelled set."""
        super().prepare(num_labelled=num_labelled, **facts)
        if num_labelled is not None and num_labelled != len(self.bank):
            self.bank = self.bank.new_zeros(num_labelled, self.projection_dim)
            self.bank_labels = self.bank_labels.new_full((num_labelled,), EMPTY)

    def targets(self, seen: Mapping[str, Outputs], batch: Batch, branch: Branch) -> Target:
        """Labels that lean on the likeness, likeness that leans on the labels; then the bank."""
        size = self.needed(len(self.bank) or None, 'the size of the labelled set')
        index = batch.shared_index('labelled', size)
        label = self.aligned(self.probs(seen['weak'].logits))
        filled = self.bank_labels != EMPTY
        bank, classes = self.bank[filled].to(label), self.bank_labels[filled]
        likeness = None
        if len(bank):
            plain = (seen['weak'].projected.to(bank) @ bank.T / self.temperature).softmax(dim=1)
            likeness = plain * label[:, classes]
            likeness = likeness / likeness.sum(dim=1, keepdim=True).clamp(min=1e-12)
            by_class = plain.new_zeros(label.shape).index_add_(1, classes, plain)
            label = self.smoothing * label + (1 - self.smoothing) * by_class
        self.bank[index] = seen['labelled'].projected.to(self.bank)
        self.bank_labels[index] = batch.labels
        extra = {'likeness': likeness, 'bank': bank}
        return Target(label, fixed_mask(label, self.threshold), extra)

    def terms(
        self, out: Mapping[str, Outputs], target: Target | None, batch: Batch, branch: Branch
    ) -> dict[str, Tensor]:
        """Supervised, consistency and likeness loss."""
        terms = super().terms(out, target, batch, branch)
        likeness, bank = target.extra['likeness'], target.extra['bank']
        strong = out['strong'].projected
        if likeness is None:  # keeps the projector in the graph, which a wrapper may insist on
            instance = strong.sum() * 0
        else:
            alike = (strong @ bank.to(strong).T / self.temperature).log_softmax(dim=1)
            instance = -(likeness * alike).sum(dim=1).mean()
        terms['loss_instance'] = self.on * self.instance_weight * instance
        return terms
