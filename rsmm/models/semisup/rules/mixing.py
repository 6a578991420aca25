"""Rules that train on blends of images: MixMatch and ReMixMatch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from rsmm.errors import ConfigError
from rsmm.models.semisup.batch import Batch, Outputs, Target, View, mix_views, quarter_turns
from rsmm.models.semisup.branch import Branch
from rsmm.models.semisup.functional import align, consistency, sharpen
from rsmm.models.semisup.rules.base import Rule
from rsmm.models.semisup.rules.state import RunningMean
from rsmm.registry import MODELS


class MixingRule(Rule):
    """Base: blends the views of a batch, and learns the blends against blended labels.

    Args:
        num_classes: Number of classes.
        alpha: Both parameters of the Beta distribution of the blend; the image itself always has
            the larger share.
        temperature: Sharpness of the pseudo-labels.
        weight: Weight of the unlabelled term.
        ramp: Share of the run over which the weight grows from 0.
    """

    def __init__(
        self, num_classes: int, alpha: float, temperature: float, weight: float, ramp: float
    ) -> None:
        super().__init__(num_classes, weight, ramp=ramp)
        if alpha <= 0 or temperature <= 0:
            raise ConfigError(
                f'alpha={alpha}, temperature={temperature} must be positive',
                where=type(self).__name__,
            )
        self.alpha, self.temperature = alpha, temperature

    def mixed(
        self, names: tuple[str, ...], label: Tensor, batch: Batch
    ) -> tuple[View, Tensor, Tensor]:
        """Blend labelled and unlabelled views across the global batch.

        Args:
            names: Views, the labelled one first.
            label: Pseudo-labels ``(M, C)`` of each unlabelled view.
            batch: The step's data.

        Returns:
            The blends as one view of this process, and blended labels of all processes: of the
            labelled rows ``(N, C)``, and of each unlabelled view in turn ``(K M, C)``.
        """
        known = F.one_hot(batch.labels, self.num_classes).to(label)
        labels = torch.cat([known, *[label] * (len(names) - 1)])
        share = _beta(self.alpha, batch.generator)
        order = torch.randperm(len(labels), generator=batch.generator)
        views = mix_views([batch.views[name] for name in names], order, share)
        labels = share * labels + (1 - share) * labels[order.to(labels.device)]
        together = View(
            images=torch.cat([view.images for view in views]),
            places=torch.cat([view.places for view in views]),
            partners=torch.cat([view.partners for view in views]),
            share=share,
        )
        return together, labels[: len(known)], labels[len(known) :]

    def look_at(self, mixed: View, sizes: list[int], branch: Branch) -> tuple[Tensor, Tensor]:
        """Logits of the blends: of the labelled rows, of each unlabelled view in turn."""
        first, *rest = branch.look_parts(mixed, sizes)
        return first.logits, torch.cat([out.logits for out in rest])


def _beta(alpha: float, generator: torch.Generator) -> float:
    """Draw ``max(b, 1 - b)``, b from Beta(alpha, alpha).

    torch's distributions take no generator, so the draw goes through a seed of NumPy's.
    """
    import numpy as np

    seed = int(torch.randint(2**31, (), generator=generator))
    share = float(np.random.default_rng(seed).beta(alpha, alpha))
    return max(share, 1 - share)


@MODELS.register_module()
class MixMatchRule(MixingRule):
    """Blends of labelled and unlabelled images; guesses are averaged over two views.

    Source: Berthelot et al., NeurIPS 2019.

    Args:
        num_classes: Number of classes.
        weight: Weight of the squared error of the unlabelled blends.
        alpha: Parameters of the Beta distribution.
        temperature: Sharpness of the guesses.
        ramp: Share of the run over which the weight grows from 0.
    """

    views = ('labelled', 'weak', 'weak_2')
    labelling = ('weak', 'weak_2')
    learning = ()

    def __init__(
        self,
        num_classes: int,
        weight: float = 10.0,
        alpha: float = 0.5,
        temperature: float = 0.5,
        ramp: float = 0.4,
    ) -> None:
        super().__init__(num_classes, alpha, temperature, weight, ramp)

    def targets(self, seen: Mapping[str, Outputs], batch: Batch, branch: Branch) -> Target:
        """Guess from both views, then blend."""
        guess = (self.probs(seen['weak'].logits) + self.probs(seen['weak_2'].logits)) / 2
        label = sharpen(guess, self.temperature)
        mixed, known, guessed = self.mixed(self.views, label, batch)
        extra = {'mixed': mixed, 'known': known, 'guessed': guessed}
        return Target(label, label.new_ones(len(label)), extra)

    def terms(
        self, out: Mapping[str, Outputs], target: Target | None, batch: Batch, branch: Branch
    ) -> dict[str, Tensor]:
        """Cross-entropy of the labelled blends, squared error of the others."""
        extra = target.extra
        sizes = [len(batch.views[name]) for name in self.views]
        labelled, others = self.look_at(extra['mixed'], sizes, branch)
        loss = consistency(others, extra['guessed'], others.new_ones(len(others)), 'mse')
        return {
            'loss_supervised': F.cross_entropy(labelled, extra['known']),
            'loss_unsupervised': self.weight * self.ramp_up() * loss,
        }


@MODELS.register_module()
class ReMixMatchRule(MixingRule):
    """MixMatch with aligned guesses, strong views and a rotation to recognise.

    Source: Berthelot et al., ICLR 2020.

    Model state: ``model_mean``, the running mean of the predictions.

    Args:
        num_classes: Number of classes.
        weight: Weight of the unlabelled blends.
        strong_weight: Weight of the first strong view by itself.
        rotation_weight: Weight of the rotation.
        alpha: Parameters of the Beta distribution.
        temperature: Sharpness of the guesses.
        momentum: Share of the old running mean.
        ramp: Share of the run over which the unlabelled weights grow from 0.
    """

    views = ('labelled', 'weak', 'strong', 'strong_2')
    blended = ('labelled', 'strong', 'strong_2', 'weak')
    learning = ('strong',)
    asks = ('rotation',)

    def __init__(
        self,
        num_classes: int,
        weight: float = 1.5,
        strong_weight: float = 0.5,
        rotation_weight: float = 0.5,
        alpha: float = 0.75,
        temperature: float = 0.5,
        momentum: float = 0.999,
        ramp: float = 1 / 64,
    ) -> None:
        super().__init__(num_classes, alpha, temperature, weight, ramp)
        self.strong_weight, self.rotation_weight = strong_weight, rotation_weight
        self.model_mean = RunningMean(num_classes, momentum)
        self.frequency: Tensor | None = None

    def prepare(self, *, class_frequency: Tensor | None = None, **facts) -> None:
        """Take the class frequencies in."""
        super().prepare(class_frequency=class_frequency, **facts)
        self.frequency = class_frequency

    def targets(self, seen: Mapping[str, Outputs], batch: Batch, branch: Branch) -> Target:
        """Align and sharpen the prediction of the weak view, blend, turn."""
        probs = self.probs(seen['weak'].logits)
        prior = self.needed(self.frequency, 'the class frequencies').to(probs)
        aligned = align(probs, self.model_mean.update(probs).to(probs), prior)
        label = sharpen(aligned, self.temperature)
        mixed, known, guessed = self.mixed(self.blended, label, batch)
        turned, turns = quarter_turns(batch, 'strong')
        extra = {'mixed': mixed, 'known': known, 'guessed': guessed}
        extra |= {'turned': turned, 'turns': turns}
        return Target(label, label.new_ones(len(label)), extra)

    def terms(
        self, out: Mapping[str, Outputs], target: Target | None, batch: Batch, branch: Branch
    ) -> dict[str, Tensor]:
        """Cross-entropy of blends, of the strong view and of its rotation."""
        extra = target.extra
        sizes = [len(batch.views[name]) for name in self.blended]
        labelled, others = self.look_at(extra['mixed'], sizes, branch)
        strong = F.cross_entropy(out['strong'].logits, target.label)
        rotation = F.cross_entropy(branch.rotation_logits(extra['turned']), extra['turns'])
        ramp = self.ramp_up()
        return {
            'loss_supervised': F.cross_entropy(labelled, extra['known']),
            'loss_unsupervised': self.weight * ramp * F.cross_entropy(others, extra['guessed']),
            'loss_strong': self.on * self.strong_weight * ramp * strong,
            'loss_rotation': self.on * self.rotation_weight * rotation,
        }
