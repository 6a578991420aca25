"""Codes and loss of SwAV (Caron et al., "Unsupervised learning of visual features by contrasting
cluster assignments", NeurIPS 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from rsmm.errors import ConfigError, DataError


@torch.no_grad()
def sinkhorn(scores: Tensor, epsilon: float = 0.05, iterations: int = 3) -> Tensor:
    """Turn scores into codes: soft assignments that use all prototypes equally often.

    Alternately normalises prototypes (columns) and samples (rows) of ``exp(scores / epsilon)``, in
    logarithms and at least 32 bits, so that no epsilon overflows. Rows sum to 1 exactly; columns
    approach ``B / K`` with the iterations.

    Args:
        scores: Similarity of samples and prototypes ``(B, K)``. Over several processes these are
            the scores of all of them: codes depend on the whole batch.
        epsilon: Softness; large gives ``1 / K`` everywhere.
        iterations: At least 1.

    Returns:
        Codes ``(B, K)``, without gradient.

    Raises:
        ConfigError: A setting out of range.
        DataError: Another shape.
    """
    if epsilon <= 0 or iterations < 1:
        raise ConfigError(
            f'epsilon={epsilon}, iterations={iterations}: expected epsilon > 0, iterations >= 1',
            where='sinkhorn',
        )
    _check_shapes('sinkhorn', scores)
    # Total, batch size and prototype count are factors that the next normalisation removes.
    log_codes = _at_least_32_bits(scores) / epsilon
    for _ in range(iterations):
        log_codes = log_codes - log_codes.logsumexp(dim=0, keepdim=True)
        log_codes = log_codes - log_codes.logsumexp(dim=1, keepdim=True)
    return log_codes.exp()


def _at_least_32_bits(scores: Tensor) -> Tensor:
    return scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores


def _check_shapes(where: str, *scores: Tensor) -> None:
    shapes = [tuple(part.shape) for part in scores]
    if len(shapes[0]) != 2 or len(set(shapes)) > 1:
        raise DataError(f'expected scores (B, K), alike for all crops, found {shapes}', where=where)


def code_cross_entropy(codes: Tensor, scores: Tensor, temperature: float = 0.1) -> Tensor:
    """Cross-entropy of codes with the softmax of another crop's scores, mean over samples.

    Args:
        codes: ``(B, K)``, rows sum to 1.
        scores: ``(B, K)``.
        temperature: Divisor of the scores.
    """
    log_shares = F.log_softmax(_at_least_32_bits(scores) / temperature, dim=1)
    return -(codes * log_shares).sum(dim=1).mean()


def swav_loss(
    scores_a: Tensor,
    scores_b: Tensor,
    epsilon: float = 0.05,
    iterations: int = 3,
    temperature: float = 0.1,
    other_scores: Sequence[Tensor] = (),
    codes: Sequence[Tensor] | None = None,
) -> Tensor:
    """Swapped prediction: each crop predicts the code of the two full crops, except its own.

    ``1/2 sum_{i in a, b} 1/(V - 1) sum_{v != i} CE(q_i, softmax(S_v / temperature))`` over ``V``
    crops.

    Args:
        scores_a: Scores of the first full crop ``(B, K)``: unit embeddings times unit prototypes.
        scores_b: Scores of the second.
        epsilon: Softness of the codes.
        iterations: Of :func:`sinkhorn`.
        temperature: Divisor of the scores in the softmax.
        other_scores: Scores of the small crops, each ``(B, K)``; they get no code.
        codes: Codes of both full crops when they come from more than this batch (a queue, other
            processes); by default :func:`sinkhorn` of each.

    Returns:
        Scalar in the dtype of the scores, 32 bits at least; ``ln K`` where all assignments are
        uniform.

    Raises:
        ConfigError: A setting out of range.
        DataError: Crops or codes of different shapes.
    """
    if temperature <= 0:
        raise ConfigError(f'temperature={temperature}: expected more than 0', where='swav_loss')
    if codes is None:
        codes = (sinkhorn(scores_a, epsilon, iterations), sinkhorn(scores_b, epsilon, iterations))
    crops = [scores_a, scores_b, *other_scores]
    _check_shapes('swav_loss', *crops, *codes)
    per_code = []
    for own, code in enumerate(codes):
        terms = [
            code_cross_entropy(code, scores, temperature)
            for view, scores in enumerate(crops)
            if view != own
        ]
        per_code.append(torch.stack(terms).mean())
    return torch.stack(per_code).mean()
