"""The adversarial rule: flat predictions around every image."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from rsmm.errors import ConfigError
from rsmm.models.semisup.batch import Batch, Outputs, Target, random_rows, shifted
from rsmm.models.semisup.branch import Branch, kept_statistics
from rsmm.models.semisup.rules.base import Rule
from rsmm.registry import MODELS


@MODELS.register_module()
class VATRule(Rule):
    """The prediction shall not change along the direction in which it changes most.

    The direction comes from one power iteration on the divergence of the predictions. Source:
    Miyato et al., Virtual Adversarial Training (TPAMI 2018).

    Args:
        num_classes: Number of classes.
        weight: Weight of the divergence.
        entropy_weight: Weight of the entropy of the predictions.
        epsilon: Length of the perturbation of an image (Euclidean, after normalisation).
        xi: Length of the step that finds the direction. The published 1e-6 is lost in single
            precision, where the divergence it makes rounds to nothing.
        iterations: Power iterations.
        ramp: Share of the run over which the weights grow from 0.
    """

    views = ('labelled', 'weak')
    learning = ('labelled', 'weak')

    def __init__(
        self,
        num_classes: int,
        weight: float = 1.0,
        entropy_weight: float = 0.06,
        epsilon: float = 6.0,
        xi: float = 1e-2,
        iterations: int = 1,
        ramp: float = 0.4,
    ) -> None:
        super().__init__(num_classes, weight, ramp=ramp)
        if epsilon <= 0 or xi <= 0 or iterations < 1 or entropy_weight < 0:
            raise ConfigError(
                f'epsilon={epsilon}, xi={xi}, iterations={iterations}, '
                f'entropy_weight={entropy_weight}',
                where='VATRule',
            )
        self.entropy_weight = entropy_weight
        self.epsilon, self.xi, self.iterations = epsilon, xi, iterations

    def targets(self, seen: Mapping[str, Outputs], batch: Batch, branch: Branch) -> Target:
        """The prediction on the weak view, and a random start of the search."""
        probs = self.probs(seen['weak'].logits)
        start = random_rows(batch, 'weak')
        return Target(probs, probs.new_ones(len(probs)), {'start': start})

    def terms(
        self, out: Mapping[str, Outputs], target: Target | None, batch: Batch, branch: Branch
    ) -> dict[str, Tensor]:
        """Supervised loss, divergence under the perturbation and entropy."""
        terms = super().terms(out, target, batch, branch)
        own = self.probs(out['weak'].logits.detach())
        shift = self._direction(own, target.extra['start'], batch, branch) * self.epsilon
        with kept_statistics(branch.parts):
            moved = branch.look(shifted(batch.views['weak'], shift))
        ramp = self.ramp_up()
        logits = out['weak'].logits
        entropy = -(logits.softmax(1) * logits.log_softmax(1)).sum(1).mean()
        terms['loss_unsupervised'] = self.weight * ramp * _divergence(target.label, moved.logits)
        terms['loss_entropy'] = self.on * self.entropy_weight * ramp * entropy
        return terms

    def _direction(self, own: Tensor, start: Tensor, batch: Batch, branch: Branch) -> Tensor:
        """Unit perturbations ``(N, C, H, W)`` of this process."""
        direction = _unit(start)
        for _ in range(self.iterations):
            with torch.enable_grad(), kept_statistics(branch.parts):
                direction = direction.requires_grad_()
                moved = branch.look(shifted(batch.views['weak'], self.xi * direction))
                (gradient,) = torch.autograd.grad(_divergence(own, moved.logits), direction)
            direction = _unit(gradient.detach())
        return direction


def _divergence(probs: Tensor, logits: Tensor) -> Tensor:
    """Mean Kullback-Leibler divergence of predictions from fixed ones."""
    return F.kl_div(logits.log_softmax(1), probs, reduction='batchmean')


def _unit(x: Tensor) -> Tensor:
    """Each image at length 1; one of nothing but zeros stays so."""
    tiny = torch.finfo(x.dtype).tiny
    # By the largest value first: squares of small gradients would round to 0.
    x = x / x.abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=tiny)
    return x / x.flatten(1).norm(dim=1).clamp(min=tiny).view(-1, 1, 1, 1)
