"""What every rule is: settings, state, targets for a step and the loss terms of a network."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from mmengine.model import BaseModule
from torch import Tensor

from rsmm.errors import ConfigError
from rsmm.models.semisup.batch import Batch, Outputs, Target
from rsmm.models.semisup.branch import Branch
from rsmm.models.semisup.functional import consistency, hard_labels, supervised


def _take_sizes(rule: Rule, state_dict: dict, prefix: str, *args) -> None:
    """Make room for what a checkpoint holds, if no run has said the size."""
    for name in rule.sized_buffers:
        stored, own = state_dict.get(prefix + name), getattr(rule, name)
        if stored is not None and len(own) == 0 and stored.shape[1:] == own.shape[1:]:
            setattr(rule, name, own.new_zeros(stored.shape))


class Rule(BaseModule):
    """Base of the rules.

    A rule sees logits of all processes. In each step the frame calls :meth:`observe`, then
    :meth:`targets` once with what the labelling network says, then :meth:`terms` for every network
    that learns from them, then :meth:`advance`. What the data decide, :meth:`prepare` is told when
    a run starts.

    Model state: ``step``, the steps done, and the buffers of the rule; all of them are in the state
    dict from the start.

    Args:
        num_classes: Number of classes C.
        weight: Weight of the unlabelled term; 0 leaves the supervised loss alone.
        multi_label: An image may have any number of classes, each with a sigmoid of its own.
        ramp: Share of the run over which the weight grows from 0.
        warmup: Steps at the start with labelled samples only.
        init_cfg: See mmengine.

    Raises:
        ConfigError: A setting out of range, or one the rule does not have.
    """

    #: Views that a batch must hold.
    views: tuple[str, ...] = ('labelled', 'weak', 'strong')
    #: Views that the labelling network is shown; without gradient, unless it learns from them.
    labelling: tuple[str, ...] = ('weak',)
    #: Views that are learned from.
    learning: tuple[str, ...] = ('labelled', 'strong')
    #: What the frame must provide: 'average', 'projector', 'rotation', 'untrained_head'.
    asks: tuple[str, ...] = ()
    #: Whether many labels per image are allowed, and whether one is.
    multi_label_allowed, multi_class_allowed = False, True
    #: Size of the projected features.
    projection_dim = 0
    #: Share of the old weights in the averaged network, and whether it runs as in training.
    average_momentum, average_trains = 0.999, False

    def __init__(
        self,
        num_classes: int,
        weight: float = 1.0,
        multi_label: bool = False,
        ramp: float = 0.0,
        warmup: int = 0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        name = type(self).__name__
        least = 1 if multi_label else 2
        if num_classes < least or weight < 0 or not 0 <= ramp <= 1 or warmup < 0:
            raise ConfigError(
                f'num_classes={num_classes}, weight={weight}, ramp={ramp}, warmup={warmup}',
                where=name,
                fix=f'num_classes is at least {least}, the others are not negative, ramp at most 1',
            )
        if multi_label and not self.multi_label_allowed:
            raise ConfigError('has no multi-label form', where=name, fix='Set multi_label=False')
        if not multi_label and not self.multi_class_allowed:
            raise ConfigError('is for many labels per image only', where=name)
        self.num_classes = num_classes
        self.weight = weight
        self.multi_label = multi_label
        self.ramp = ramp
        self.warmup = warmup
        self.max_iters: int | None = None
        self.register_buffer('step', torch.zeros((), dtype=torch.long))
        self.register_load_state_dict_pre_hook(_take_sizes)

    #: Names of buffers whose length the data decide.
    sized_buffers: tuple[str, ...] = ()

    # ---------------------------------------------------------------- what a run tells the rule

    def prepare(
        self,
        *,
        num_labelled: int | None = None,
        num_unlabelled: int | None = None,
        class_frequency: Tensor | None = None,
        max_iters: int | None = None,
    ) -> None:
        """Take in what the data decide; called once when a run starts, before a checkpoint loads.

        Args:
            num_labelled: Size of the labelled set.
            num_unlabelled: Size of the unlabelled set.
            class_frequency: Share of each class among the labelled samples ``(C,)``; multi-label
                the share of samples that have it.
            max_iters: Steps of the run.
        """
        self.max_iters = max_iters

    def needed(self, value, what: str):
        """Return a fact of the run, or say how it gets here.

        Raises:
            ConfigError: It is unknown.
        """
        if value is None:
            raise ConfigError(
                f'does not know {what}',
                where=type(self).__name__,
                fix="Add dict(type='SemiSupervisedHook') to custom_hooks, or call prepare()",
            )
        return value

    # ---------------------------------------------------------------- what a step asks of it

    @property
    def warming(self) -> bool:
        """Whether this step learns from labelled samples only."""
        return bool(self.warmup) and int(self.step) < self.warmup

    @property
    def progress(self) -> float:
        """Share of the run that is done, 0..1."""
        total = self.needed(self.max_iters, 'the length of the run')
        return min(int(self.step) / max(total, 1), 1.0)

    @property
    def on(self) -> float:
        """Factor of further unlabelled terms: 0 if the weight is, else 1."""
        return float(self.weight != 0)

    def ramp_up(self) -> float:
        """Factor that grows from 0 to 1 over the first share ``ramp`` of the run."""
        return min(self.progress / self.ramp, 1.0) if self.ramp else 1.0

    def advance(self) -> None:
        """Count a step."""
        self.step += 1

    def probs(self, logits: Tensor) -> Tensor:
        """Probabilities of logits ``(N, C)``."""
        return logits.sigmoid() if self.multi_label else logits.softmax(dim=-1)

    def supervised(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of labelled samples."""
        return supervised(logits, labels, self.multi_label)

    def observe(self, out: Mapping[str, Outputs], batch: Batch) -> None:
        """Look at what the labelling network says of the views it learns from."""

    def targets(self, seen: Mapping[str, Outputs], batch: Batch, branch: Branch) -> Target | None:
        """Make the pseudo-labels of a step and move the state on; runs without gradient.

        Args:
            seen: What the labelling network says of the views in ``labelling``.
            batch: The step's data.
            branch: The labelling network.
        """
        return None

    def terms(
        self, out: Mapping[str, Outputs], target: Target | None, batch: Batch, branch: Branch
    ) -> dict[str, Tensor]:
        """Loss terms of a network.

        Args:
            out: What it says of the views in ``learning``; only labelled ones in a warm-up.
            target: The step's pseudo-labels, None in a warm-up.
            batch: The step's data.
            branch: The network.

        Returns:
            ``loss_supervised`` and others; their sum is learned from.
        """
        return {'loss_supervised': self.supervised(out['labelled'].logits, batch.labels)}

    def predicted(self, logits: Tensor, branch: Branch, images: Tensor) -> Tensor:
        """Logits ``(N, C)`` to predict from; rules that learn a bias take it off here."""
        return logits


class ConsistencyRule(Rule):
    """Base of the rules that learn one view against a label of another.

    Subclasses say with which weight in :meth:`weigh`, and in :meth:`label` what, if not the hard
    label.
    """

    #: View that is learned.
    against = 'strong'
    #: Kind of the consistency loss, by default 'ce', multi-label 'bce'.
    kind: str | None = None

    def weigh(self, probs: Tensor, seen: Mapping[str, Outputs], batch: Batch) -> Tensor:
        """Weights of predictions ``(N, C)``: ``(N,)``, multi-label ``(N, C)``."""
        raise NotImplementedError

    def label(self, logits: Tensor, probs: Tensor) -> Tensor:
        """What is learned: ids ``(N,)`` or probabilities ``(N, C)``."""
        return hard_labels(probs, self.multi_label)

    def targets(self, seen: Mapping[str, Outputs], batch: Batch, branch: Branch) -> Target:
        """Label and weight of the first labelling view."""
        logits = seen[self.labelling[0]].logits
        probs = self.probs(logits)
        weight = self.weigh(probs, seen, batch)
        return Target(self.label(logits, probs), weight)

    def unsupervised(self, logits: Tensor, target: Target) -> Tensor:
        """Weighted consistency loss."""
        kind = self.kind or ('bce' if self.multi_label else 'ce')
        return consistency(logits, target.label, target.weight, kind)

    def terms(
        self, out: Mapping[str, Outputs], target: Target | None, batch: Batch, branch: Branch
    ) -> dict[str, Tensor]:
        """Supervised and consistency loss."""
        terms = super().terms(out, target, batch, branch)
        if target is not None:
            loss = self.unsupervised(out[self.against].logits, target)
            terms['loss_unsupervised'] = self.weight * self.ramp_up() * loss
        return terms
