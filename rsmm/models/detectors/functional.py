"""Matching and losses of DETReg as pure functions.

Bar et al., "DETReg: Unsupervised pretraining with region priors for object detection", CVPR 2022,
on the matching of Zhu et al., Deformable DETR, ICLR 2021. Costs and losses: focal on the objectness
(alpha 0.25, gamma 2), L1 on normalised centre-size boxes, generalised IoU, and L1 between predicted
and teacher embeddings, which takes no part in the matching.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import generalized_box_iou, sigmoid_focal_loss

from rsmm.errors import DataError

#: Factors of the focal, L1 and GIoU terms, in cost and loss alike.
WEIGHTS = (2.0, 5.0, 2.0)
ALPHA, GAMMA = 0.25, 2.0


class DETRegTargets(NamedTuple):
    """What each query of an image should predict.

    Attributes:
        queries: Matched queries ``(M,)`` int64, ``M = min(Q, P)``.
        proposals: Proposal of each ``(M,)`` int64.
        labels: Objectness per query ``(Q,)``: 0 for a matched one (class 0, object), 1 for
            background, mmdet's convention with one class.
        boxes: Centre-size boxes of the matched proposals, normalised, ``(M, 4)``.
        costs: Weighted focal, L1 and GIoU terms ``(3, Q, P)``.
    """

    queries: Tensor
    proposals: Tensor
    labels: Tensor
    boxes: Tensor
    costs: Tensor

    @property
    def total_cost(self) -> Tensor:
        """Cost matrix ``(Q, P)`` that the matching minimises."""
        return self.costs.sum(dim=0)


@torch.no_grad()
def detreg_targets(
    logits: Tensor,
    boxes: Tensor,
    proposals: Tensor,
    image_shape: tuple[int, int],
    weights: tuple[float, float, float] = WEIGHTS,
) -> DETRegTargets:
    """Match queries and proposals one to one (Hungarian algorithm).

    Args:
        logits: Objectness of each query ``(Q,)`` or ``(Q, 1)``.
        boxes: Predicted boxes ``(Q, 4)``, x1, y1, x2, y2 in pixels.
        proposals: Proposal boxes ``(P, 4)``, same form.
        image_shape: (H, W) in pixels without padding.
        weights: Factors of the focal, L1 and GIoU costs.

    Returns:
        The targets; nothing matched when there are no proposals.

    Raises:
        DataError: Shapes that do not fit, proposals without area, or predictions that are not
            finite.
    """
    logits = logits.reshape(-1)
    if boxes.shape != (len(logits), 4) or proposals.ndim != 2 or proposals.shape[1] != 4:
        raise DataError(
            f'expected logits (Q,), boxes (Q, 4) and proposals (P, 4), found {tuple(logits.shape)},'
            f' {tuple(boxes.shape)} and {tuple(proposals.shape)}',
            where='detreg_targets',
        )
    if not (proposals[:, 2:] > proposals[:, :2]).all():
        raise DataError(
            'a proposal has no area',
            where='detreg_targets',
            fix='Expected x1 < x2 and y1 < y2 in pixels; leave other boxes out with their patches',
        )
    costs = match_costs(logits, boxes, proposals, image_shape, weights)
    if not torch.isfinite(costs).all():
        raise DataError(
            'predictions are not finite',
            where='detreg_targets',
            fix='Training has diverged: lower the learning rate, or clip gradients',
        )
    queries, matched = hungarian(costs.sum(dim=0))
    labels = torch.ones(len(logits), dtype=torch.long, device=logits.device)
    labels[queries] = 0
    return DETRegTargets(
        queries, matched, labels, normalised_cxcywh(proposals, image_shape)[matched], costs
    )


def hungarian(cost: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and columns ``(M,)`` of the one-to-one assignment of least total cost ``(Q, P)``."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(cost.detach().cpu().numpy())
    return torch.as_tensor(rows, device=cost.device), torch.as_tensor(columns, device=cost.device)


def match_costs(
    logits: Tensor,
    boxes: Tensor,
    proposals: Tensor,
    image_shape: tuple[int, int],
    weights: tuple[float, float, float] = WEIGHTS,
) -> Tensor:
    """Weighted focal, L1 and negative GIoU costs ``(3, Q, P)``, 32 bits at least, as above."""
    wide = torch.promote_types(torch.promote_types(boxes.dtype, logits.dtype), torch.float32)
    logits, boxes, proposals = (part.to(wide) for part in (logits, boxes, proposals))
    logits = logits.reshape(-1)
    probability = logits.sigmoid()
    positive = -F.logsigmoid(logits) * ALPHA * (1 - probability) ** GAMMA
    negative = -F.logsigmoid(-logits) * (1 - ALPHA) * probability**GAMMA
    focal = (positive - negative)[:, None].expand(-1, len(proposals))
    distance = torch.cdist(
        normalised_cxcywh(boxes, image_shape), normalised_cxcywh(proposals, image_shape), p=1
    )
    terms = (focal, distance, -generalized_box_iou(boxes, proposals))
    return torch.stack([weight * term for weight, term in zip(weights, terms, strict=True)])


def normalised_cxcywh(boxes: Tensor, image_shape: tuple[int, int]) -> Tensor:
    """Corner boxes in pixels ``(N, 4)`` to centre and size as shares of the image."""
    height, width = image_shape[:2]
    lower, upper = boxes[:, :2], boxes[:, 2:]
    size = boxes.new_tensor([width, height])
    return torch.cat([(lower + upper) / 2 / size, (upper - lower) / size], dim=1)


def detreg_losses(
    logits: Tensor,
    boxes: Tensor,
    proposals: Tensor,
    image_shape: tuple[int, int],
    targets: DETRegTargets,
    weights: tuple[float, float, float] = WEIGHTS,
) -> dict[str, Tensor]:
    """Focal, L1 and GIoU losses of one image and decoder layer, per matched box.

    Args:
        logits: Objectness ``(Q,)``.
        boxes: Predicted boxes ``(Q, 4)`` in pixels.
        proposals: Proposal boxes ``(P, 4)``.
        image_shape: (H, W) in pixels.
        targets: From :func:`detreg_targets`.
        weights: Factors of the three losses.

    Returns:
        ``loss_cls``, ``loss_bbox`` and ``loss_iou``, scalars with gradient.
    """
    count = max(len(targets.queries), 1)
    truth = (targets.labels == 0).to(logits.dtype)
    focal = sigmoid_focal_loss(logits.reshape(-1), truth, ALPHA, GAMMA, reduction='sum')
    matched = boxes[targets.queries]
    distance = (normalised_cxcywh(matched, image_shape) - targets.boxes).abs().sum()
    overlap = generalized_box_iou(matched, proposals[targets.proposals]).diagonal()
    terms = (focal, distance, (1 - overlap).sum())
    names = ('loss_cls', 'loss_bbox', 'loss_iou')
    return {
        name: weight * term / count
        for name, weight, term in zip(names, weights, terms, strict=True)
    }


def embedding_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of predicted and teacher embeddings.

    Args:
        predicted: Embeddings of the matched queries ``(M, E)``.
        target: Teacher's embeddings of their proposals ``(M, E)``.

    Returns:
        Mean over ``M x E``; 0 with gradient when nothing matched.

    Raises:
        DataError: Shapes differ.
    """
    if predicted.shape != target.shape:
        raise DataError(
            f'predicted {tuple(predicted.shape)} and teacher {tuple(target.shape)} embeddings '
            'differ in shape',
            where='embedding_loss',
            fix="Set the head's embedding_dim to the width of the teacher's output",
        )
    if predicted.numel() == 0:
        return predicted.sum()
    return (predicted - target.detach()).abs().mean()
