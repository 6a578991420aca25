"""The frame around a rule: shows it a batch's views, sums its losses, predicts."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from mmpretrain.models import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from rsmm.datasets.seeded import derive_seed
from rsmm.errors import ConfigError
from rsmm.models.layers.momentum import momentum_update_
from rsmm.models.semisup.batch import Batch, Outputs, Target, View
from rsmm.models.semisup.branch import Branch, evaluating
from rsmm.models.semisup.measures import pseudo_label_measures
from rsmm.models.semisup.reading import read_batch, read_places
from rsmm.models.semisup.rules.base import Rule
from rsmm.registry import MODELS

LABEL_MODES = ('auto', 'train', 'eval')


@MODELS.register_module()
class SSLClassifier(ImageClassifier):
    """A network trained by a semi-supervised rule; backbone and head predict.

    What the processes see is joined here, before the rule: its thresholds, queues and losses are
    those of the global batch. Place and date of the samples are not looked at.

    Model state: ``backbone``, ``neck``, ``head`` as in a plain classifier; ``rule``; and, if the
    rule asks for them, ``projector``, ``rotation_head`` and ``averaged``, a copy of the network
    that follows it as a running average.

    Args:
        backbone: Any backbone of mmpretrain or rsmm, config or module.
        head: Linear classification head, config or module.
        rule: Config of a rule or module.
        neck: Config or module between them, e.g. global average pooling of a CNN.
        label_mode: How the network that learns looks at the views it labels: ``'train'``, as the
            published transformers do; ``'eval'``, with the running statistics of its batch norms;
            ``'auto'`` is ``'eval'`` for networks with batch norms, else ``'train'``. In training
            mode weak views would be normalised among themselves and labelled ones together with
            strong views: the network then labels images unlike those it has learned from.
        data_preprocessor: Config or module, usually ``TwoStreamPreprocessor``.
        init_cfg: Initialisation.

    Raises:
        ConfigError: Head and rule differ in their number of classes, or there is no such mode.
    """

    def __init__(
        self,
        backbone: dict | nn.Module,
        head: dict | nn.Module,
        rule: dict | Rule,
        neck: dict | nn.Module | None = None,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
        label_mode: str = 'auto',
    ) -> None:
        if label_mode not in LABEL_MODES:
            raise ConfigError(
                f'label_mode={label_mode!r} is not one of {", ".join(LABEL_MODES)}', where='model'
            )
        # Built here and not by the base class, whose registry would not find rsmm's entries.
        super().__init__(
            backbone=_built(backbone),
            neck=None if neck is None else _built(neck),
            head=built_head(head),
            data_preprocessor=BaseDataPreprocessor()
            if data_preprocessor is None
            else _built(data_preprocessor),
            init_cfg=init_cfg,
        )
        self.rule: Rule = _built(rule)
        self._check_head(self.head)
        self.seed = 0
        self.label_mode = label_mode
        add_asked_parts(self, self.head, self.rule)
        if 'average' in self.rule.asks:
            self.averaged = averaged_copy(self.labeller_parts())

    def _check_head(self, head: nn.Module) -> None:
        classes = getattr(head, 'num_classes', self.rule.num_classes)
        if classes != self.rule.num_classes:
            raise ConfigError(
                f'num_classes={classes} of the head and {self.rule.num_classes} of the rule',
                where='model',
            )
        if not hasattr(head, 'pre_logits'):
            raise ConfigError(
                f'{type(head).__name__} has no pre_logits',
                where='head',
                fix="Use type='mmpretrain.LinearClsHead'",
            )

    #: Views that networks see if the rule learns from none as it is.
    shown_anyway: tuple[str, ...] = ()

    # ---------------------------------------------------------------- networks

    def own_parts(self) -> dict[str, nn.Module]:
        """Modules of the network that predicts."""
        names = ('backbone', 'neck', 'head', 'projector', 'rotation_head')
        found = {name: getattr(self, name, None) for name in names}
        return {name: part for name, part in found.items() if part is not None}

    def labeller_parts(self) -> dict[str, nn.Module]:
        """Modules of the network whose weak views make the targets."""
        return self.own_parts()

    def branches(self) -> list[Branch]:
        """Networks that learn, the labelling one first."""
        return [Branch(self.own_parts())]

    # ---------------------------------------------------------------- training

    def loss(
        self,
        inputs: Mapping[str, Tensor] | Tensor,
        data_samples: Mapping[str, Sequence[DataSample]] | Sequence[DataSample],
    ) -> dict[str, Tensor]:
        """Loss terms of a two-stream batch.

        Args:
            inputs: View name to images ``(N, C, H, W)``: ``labelled`` and what the rule's
                ``views`` name. A tensor alone is a labelled batch.
            data_samples: ``labelled`` and ``unlabelled`` to data samples.

        Returns:
            Terms whose names contain ``loss``, which are summed; ``used``, the mean weight of the
            pseudo-labels, and where the truth is known their ``pseudo_accuracy``.

        Raises:
            ConfigError: A view is missing; DataError: a label does not fit.
        """
        rule, branches = self.rule, self.branches()
        generator = torch.Generator().manual_seed(derive_seed(self.seed, int(rule.step)))
        batch = read_batch(inputs, data_samples, rule, generator)
        self.follow_average()
        warming = rule.warming
        learning = rule.learning or self.shown_anyway
        shown = [name for name in learning if not warming or name.startswith('labelled')]
        seen = [branch.see({name: batch.views[name] for name in shown}) for branch in branches]
        with torch.no_grad():
            rule.observe(seen[0], batch)
            target = None if warming else self.make_targets(seen[0], batch, branches[0])
        losses: dict[str, Tensor] = {}
        for branch, out in zip(branches, seen, strict=True):
            terms = rule.terms(out, target, batch, branch)
            prefix = '' if len(branches) == 1 or branch.is_student else 'teacher_'
            losses.update({prefix + name: value for name, value in terms.items()})
        losses.update(self.further_losses(seen, warming))
        if target is not None:
            losses.update(pseudo_label_measures(target, batch.hidden, rule.multi_label))
        rule.advance()
        return losses

    def further_losses(
        self, seen: Sequence[Mapping[str, Outputs]], warming: bool
    ) -> dict[str, Tensor]:
        """Terms between networks; none here."""
        return {}

    def make_targets(
        self, learned: Mapping[str, Outputs], batch: Batch, branch: Branch
    ) -> Target | None:
        """Show the labelling network what it has not seen yet, and let the rule label."""
        rule = self.rule
        if 'average' not in rule.asks:
            new = [name for name in rule.labelling if name not in learned]
            with evaluating(branch.parts) if self._labels_in_eval(branch) else nullcontext():
                seen = branch.see({name: batch.views[name] for name in new})
            seen |= {k: out.detach() for k, out in learned.items() if k in rule.labelling}
            return rule.targets(seen, batch, branch)
        branch = Branch(dict(self.averaged.items()))
        views = {name: batch.views[name] for name in rule.labelling}
        if rule.average_trains:
            return rule.targets(branch.see(views), batch, branch)
        with evaluating(branch.parts):
            return rule.targets(branch.see(views), batch, branch)

    def _labels_in_eval(self, branch: Branch) -> bool:
        return self.label_mode == 'eval' or (self.label_mode == 'auto' and branch.has_batch_norm)

    @torch.no_grad()
    def follow_average(self) -> None:
        """Move the averaged network by what the last step changed; in the first step copy."""
        if 'average' not in self.rule.asks:
            return
        momentum = self.rule.average_momentum if int(self.rule.step) else 0.0
        for name, part in self.labeller_parts().items():
            copied = self.averaged[name]
            momentum_update_(copied.parameters(), part.parameters(), momentum)
            for old, new in zip(copied.buffers(), part.buffers(), strict=True):
                old.copy_(new)

    # ---------------------------------------------------------------- prediction

    def predict(
        self, inputs: Tensor, data_samples: Sequence[DataSample] | None = None
    ) -> list[DataSample]:
        """Fill in ``pred_score`` ``(C,)`` and ``pred_label``.

        Scores are softmax probabilities, multi-label sigmoid ones with all classes from .5 on as
        labels.

        Args:
            inputs: ``(N, C, H, W)``.
            data_samples: N samples, or None for new ones.
        """
        samples = data_samples or [DataSample() for _ in range(len(inputs))]
        scores = self.rule.probs(self.predicted_logits(inputs, samples))
        for sample, score in zip(samples, scores, strict=True):
            found = (score >= 0.5).nonzero()[:, 0] if self.rule.multi_label else score.argmax()
            sample.set_pred_score(score).set_pred_label(found)
        return list(samples)

    def predicted_logits(self, inputs: Tensor, samples: Sequence[DataSample]) -> Tensor:
        """Logits ``(N, C)`` to predict from."""
        branch = Branch(self.own_parts())
        view = View(inputs, read_places(samples, inputs.device))
        return self.rule.predicted(branch.logits(view), branch, inputs)


def add_asked_parts(owner, head: Any, rule: Rule) -> None:
    """Add the modules that a rule asks for to a network, which has ``head`` on top of it."""
    channels = head.in_channels
    if 'projector' in rule.asks:
        owner.projector = nn.Sequential(
            nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, rule.projection_dim)
        )
    if 'rotation' in rule.asks:
        owner.rotation_head = nn.Linear(channels, 4)


def averaged_copy(parts: Mapping[str, nn.Module]) -> nn.ModuleDict:
    """A copy of a network that gets no gradient."""
    return nn.ModuleDict(copy.deepcopy(dict(parts))).requires_grad_(False)


def built_head(head: dict | nn.Module) -> Any:
    """Build a head; its own loss, which is not used, is named so that any scope finds it."""
    if isinstance(head, nn.Module):
        return head
    if str(head.get('type')).endswith('LinearClsHead'):
        head = {'loss': {'type': 'mmpretrain.CrossEntropyLoss'}, **head}
    return MODELS.build(head)


def _built(module: dict | nn.Module) -> Any:
    return module if isinstance(module, nn.Module) else MODELS.build(module)
