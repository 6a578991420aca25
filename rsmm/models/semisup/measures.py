"""How good the pseudo-labels of a step are, for the log."""

from __future__ import annotations

import torch
from torch import Tensor

from rsmm.models.semisup.batch import Target


@torch.no_grad()
def pseudo_label_measures(
    target: Target, hidden: Tensor | None, multi_label: bool
) -> dict[str, Tensor]:
    """Share of the pseudo-labels that is used, and how many of these are right.

    Args:
        target: Pseudo-labels of a step.
        hidden: True labels: ids ``(N,)``, multi-label ``(N, C)`` with -1 unknown; or None.
        multi_label: Whether each entry counts by itself.

    Returns:
        ``used``, the mean weight; ``pseudo_accuracy``, weighted, where the truth is known and
        something is used.
    """
    weight = target.weight.float()
    measures = {'used': weight.mean()}
    if hidden is None:
        return measures
    label = target.label
    if multi_label:
        right, weight = (label >= 0.5) == (hidden >= 0.5), weight * (hidden != -1)
    else:
        ids = label if label.ndim == 1 else label.argmax(dim=1)
        right, weight = ids == hidden, weight * (hidden >= 0)
    total = weight.sum()
    if total > 0:
        measures['pseudo_accuracy'] = (weight * right).sum() / total
    return measures
