"""Rules whose threshold, if they have one, stays: from the supervised baseline to FixMatch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from rsmm.errors import ConfigError
from rsmm.models.semisup.batch import Batch, Outputs, Target
from rsmm.models.semisup.branch import Branch
from rsmm.models.semisup.functional import fixed_mask, hard_labels
from rsmm.models.semisup.rules.base import ConsistencyRule, Rule
from rsmm.registry import MODELS

Threshold = float | Sequence[float]


@MODELS.register_module()
class SupervisedRule(Rule):
    """Labelled samples only: the baseline of every comparison.

    Args:
        num_classes: Number of classes.
        multi_label: Each class has a sigmoid of its own; labels of -1 are left out.
    """

    views = ('labelled',)
    labelling = ()
    learning = ('labelled',)
    multi_label_allowed = True

    def __init__(self, num_classes: int, multi_label: bool = False) -> None:
        super().__init__(num_classes, multi_label=multi_label)


class ThresholdRule(ConsistencyRule):
    """Base of the rules with a fixed threshold.

    Args:
        num_classes: Number of classes.
        threshold: Confidence from which a prediction counts, inclusive; multi-label also a pair
            (low, high) of probabilities. None takes the published one.
        weight: Weight of the unlabelled term.
        multi_label: Each class has a sigmoid of its own.
        ramp: Share of the run over which the weight grows from 0.
        warmup: Steps at the start with labelled samples only.
    """

    #: Published thresholds: one label per image, many labels.
    thresholds: tuple[Threshold, Threshold] = (0.95, (0.05, 0.70))

    def __init__(
        self,
        num_classes: int,
        threshold: Threshold | None = None,
        weight: float = 1.0,
        multi_label: bool = False,
        ramp: float = 0.0,
        warmup: int = 0,
    ) -> None:
        super().__init__(num_classes, weight, multi_label, ramp, warmup)
        self.threshold = self.thresholds[multi_label] if threshold is None else threshold
        limits = self.threshold if isinstance(self.threshold, Sequence) else [self.threshold]
        if not all(0 <= limit <= 1 for limit in limits):
            raise ConfigError(
                f'threshold={self.threshold} is no probability', where=type(self).__name__
            )
        # A wrong pair is refused now and not in the middle of a run.
        fixed_mask(torch.zeros(1, num_classes), self.threshold, multi_label)

    def weigh(self, probs: Tensor, seen: Mapping[str, Outputs], batch: Batch) -> Tensor:
        """Keep what reaches the threshold."""
        return fixed_mask(probs, self.threshold, self.multi_label)


@MODELS.register_module()
class PseudoLabelRule(ThresholdRule):
    """Learn the weak view against its own label (Lee, 2013).

    Args:
        num_classes: Number of classes.
        threshold: Confidence from which a prediction counts.
        weight: Weight of the unlabelled term.
        ramp: Share of the run over which the weight grows from 0.
    """

    views = ('labelled', 'weak')
    learning = ('labelled', 'weak')
    against = 'weak'

    def __init__(
        self, num_classes: int, threshold: float = 0.95, weight: float = 1.0, ramp: float = 0.4
    ) -> None:
        super().__init__(num_classes, threshold, weight, ramp=ramp)


@MODELS.register_module()
class PiModelRule(ConsistencyRule):
    """Two weak views shall be predicted alike: squared error of the probabilities.

    Source: Laine and Aila, ICLR 2017.

    Args:
        num_classes: Number of classes.
        weight: Weight of the unlabelled term.
        ramp: Share of the run over which the weight grows from 0.
    """

    views = ('labelled', 'weak', 'weak_2')
    learning = ('labelled', 'weak_2')
    against = 'weak_2'
    kind = 'mse'

    def __init__(self, num_classes: int, weight: float = 10.0, ramp: float = 0.4) -> None:
        super().__init__(num_classes, weight, ramp=ramp)

    def weigh(self, probs: Tensor, seen: Mapping[str, Outputs], batch: Batch) -> Tensor:
        """Every sample counts."""
        return probs.new_ones(len(probs))

    def label(self, logits: Tensor, probs: Tensor) -> Tensor:
        """The prediction as it is."""
        return probs


@MODELS.register_module()
class MeanTeacherRule(PiModelRule):
    """As :class:`PiModelRule`, against the prediction of averaged weights.

    Source: Tarvainen and Valpola, NeurIPS 2017.

    Args:
        num_classes: Number of classes.
        weight: Weight of the unlabelled term.
        ramp: Share of the run over which the weight grows from 0.
        momentum: Share of the old weights in the average.
    """

    asks = ('average',)

    def __init__(
        self,
        num_classes: int,
        weight: float = 50.0,
        ramp: float = 0.4,
        momentum: float = 0.999,
    ) -> None:
        super().__init__(num_classes, weight, ramp)
        self.average_momentum = momentum


@MODELS.register_module()
class UDARule(ThresholdRule):
    """Learn strong views against the probabilities of weak ones.

    Source: Xie et al., NeurIPS 2020.

    Args:
        num_classes: Number of classes.
        threshold: Confidence from which a prediction counts.
        temperature: Below 1 sharpens the probabilities; None leaves them, as the published runs
            did.
        weight: Weight of the unlabelled term.
    """

    def __init__(
        self,
        num_classes: int,
        threshold: float = 0.8,
        temperature: float | None = None,
        weight: float = 1.0,
    ) -> None:
        super().__init__(num_classes, threshold, weight)
        if temperature is not None and temperature <= 0:
            raise ConfigError(f'temperature={temperature}', where='UDARule')
        self.temperature = temperature or 1.0

    def label(self, logits: Tensor, probs: Tensor) -> Tensor:
        """Probabilities, sharpened if asked."""
        return (logits / self.temperature).softmax(dim=-1)


@MODELS.register_module()
class FixMatchRule(ThresholdRule):
    """Learn strong views against confident hard labels of weak ones.

    Source: Sohn et al., NeurIPS 2020; multi-label: Bernhard et al., ECAI 2024.

    Args:
        num_classes: Number of classes.
        threshold: .95; multi-label (.05, .70): entries between count for nothing.
        weight: Weight of the unlabelled term.
        multi_label: Each class has a sigmoid of its own.
    """

    multi_label_allowed = True

    def __init__(
        self,
        num_classes: int,
        threshold: Threshold | None = None,
        weight: float = 1.0,
        multi_label: bool = False,
    ) -> None:
        super().__init__(num_classes, threshold, weight, multi_label)


@MODELS.register_module()
class DeFixMatchRule(FixMatchRule):
    """FixMatch without bias: its term on labelled samples is taken off again.

    ``(sup(weak) + sup(strong)) / 2 + weight (U_unlabelled - U_labelled)``. Source: Schmutz et al.,
    Don't fear the unlabelled (ICLR 2023).

    Args:
        num_classes: Number of classes.
        threshold: As :class:`FixMatchRule`.
        weight: Weight of the difference.
        multi_label: Each class has a sigmoid of its own.
    """

    views = ('labelled', 'labelled_strong', 'weak', 'strong')
    labelling = ('weak', 'labelled')
    learning = ('labelled', 'labelled_strong', 'strong')

    def __init__(
        self,
        num_classes: int,
        threshold: Threshold | None = None,
        weight: float = 0.5,
        multi_label: bool = False,
    ) -> None:
        super().__init__(num_classes, threshold, weight, multi_label)

    def targets(self, seen: Mapping[str, Outputs], batch: Batch, branch: Branch) -> Target:
        """Pseudo-labels of the unlabelled and of the labelled rows."""
        target = super().targets(seen, batch, branch)
        probs = self.probs(seen['labelled'].logits)
        target.extra['labelled'] = Target(
            hard_labels(probs, self.multi_label), self.weigh(probs, seen, batch)
        )
        return target

    def terms(
        self, out: Mapping[str, Outputs], target: Target | None, batch: Batch, branch: Branch
    ) -> dict[str, Tensor]:
        """Supervised loss of both views and the difference of the consistency losses."""
        terms = super().terms(out, target, batch, branch)
        strong = self.supervised(out['labelled_strong'].logits, batch.labels)
        terms['loss_supervised'] = (terms['loss_supervised'] + strong) / 2
        if target is not None:
            bias = self.unsupervised(out['labelled_strong'].logits, target.extra['labelled'])
            terms['loss_debias'] = -self.weight * bias
        return terms
